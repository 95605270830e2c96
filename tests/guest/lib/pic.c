/* 8259A (Intel 8259A data sheet: ICW1-ICW4, OCW1-OCW3). */
#include "pic.h"
#include "io.h"
#include "layout.h"

void pic_init(void) {
    outb(PIC1, 0x11);
    outb(PIC2, 0x11);
    outb(PIC1 + 1, VECTOR_IRQ);
    outb(PIC2 + 1, VECTOR_IRQ + 8);
    outb(PIC1 + 1, 4);
    outb(PIC2 + 1, 2);
    outb(PIC1 + 1, 1);
    outb(PIC2 + 1, 1);
    pic_mask(0xFFFF);
}

void pic_mask(uint16_t mask) {
    outb(PIC1 + 1, (uint8_t)mask);
    outb(PIC2 + 1, (uint8_t)(mask >> 8));
}

void pic_timer_once(uint16_t count) {
    pic_init();
    outb(0x43, 0x30);
    outb(0x40, (uint8_t)count);
    outb(0x40, (uint8_t)(count >> 8));
    pic_mask(0xFFFE);
}

void pic_eoi(uint8_t irq) {
    if (irq >= 8)
        outb(PIC2, 0x20);
    outb(PIC1, 0x20);
}

uint8_t pic_isr(uint16_t port) {
    outb(port, 0x0B);
    return inb(port);
}

uint8_t pic_irr(uint16_t port) {
    outb(port, 0x0A);
    return inb(port);
}
