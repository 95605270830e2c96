/* 8259A pair: masks, IRR and ISR, priority over three pending lines, nesting with and without EOI,
 * specific EOI, vector base, special mask mode, polling (Intel 8259A data sheet). */
#include "guest.h"

/* Sources: IRQ 0 from the PIT, IRQ 4 from COM1's transmitter, IRQ 8 from the RTC. */
enum { IER = 0x3F9, IIR = 0x3FA };

static char order[64];
static int taken;
static bool nest, no_eoi;
static uint16_t inner_mask = 0xFEEA; /* what a nesting handler lets in */

static void note(char c) {
    if (taken < 60)
        order[taken++] = c;
    order[taken] = 0;
}

/* Periodic interrupts off, then the line down. */
static void quiet_rtc(void) {
    outb(0x70, 0x0B);
    outb(0x71, 0x02);
    outb(0x70, 0x0C);
    inb(0x71);
}

static void raise_pit(void) {
    outb(0x43, 0x30);
    outb(0x40, 20);
    outb(0x40, 0);
    while (!(pic_irr(PIC1) & 1))
        ;
}

static void raise_uart(void) {
    outb(IER, 0x02);
    while (!(pic_irr(PIC1) & 0x10))
        ;
}

static void raise_rtc(void) {
    quiet_rtc();
    outb(0x70, 0x0A);
    outb(0x71, 0x26);
    outb(0x70, 0x0B);
    outb(0x71, 0x42);
    while (!(pic_irr(PIC2) & 1))
        ;
}

static void open_window(void) {
    if (nest) {
        pic_mask(inner_mask);
        __asm__ volatile("sti; nop; nop; nop; cli");
    }
}

static void on_pit(struct trap_frame *frame) {
    (void)frame;
    note('p');
    open_window();
    if (!no_eoi)
        pic_eoi(0);
    note('.');
}

static void on_uart(struct trap_frame *frame) {
    (void)frame;
    note('u');
    inb(IIR);
    outb(IER, 0);
    open_window();
    if (!no_eoi)
        pic_eoi(4);
    note('.');
}

static void on_rtc(struct trap_frame *frame) {
    (void)frame;
    note('r');
    quiet_rtc();
    open_window();
    if (!no_eoi)
        pic_eoi(8);
    note('.');
}

static void window(void) {
    __asm__ volatile("sti; nop; nop; nop; cli");
}

static void start(uint16_t mask) {
    outb(IER, 0);
    pic_init();
    taken = 0;
    order[0] = 0;
    raise_rtc();
    raise_uart();
    raise_pit();
    pic_mask(mask);
}

static void take(uint8_t vector, void (*handler)(struct trap_frame *)) {
    trap_handlers[vector] = handler;
}

void guest_main(void) {
    take(VECTOR_IRQ, on_pit);
    take(VECTOR_IRQ + 4, on_uart);
    take(VECTOR_IRQ + 8, on_rtc);

    pic_mask(0x5AA5);
    printf("masks read back %02x %02x\n", inb(PIC1 + 1), inb(PIC2 + 1));
    pic_mask(0xFFFF);
    printf("isr %02x %02x\n", pic_isr(PIC1), pic_isr(PIC2));

    start(0xFFFF);
    printf("pending irr %02x %02x\n", pic_irr(PIC1) & 0x15, pic_irr(PIC2) & 1);
    window();
    printf("all masked: %s\n", order);
    pic_mask(0xFFEF);
    window();
    printf("IRQ 4 open: %s\n", order);
    pic_mask(0xFEFF);
    window();
    printf("IRQ 8 open, not IRQ 2: %s\n", order);
    pic_mask(0xFEFB);
    window();
    printf("IRQ 2 too: %s\n", order);
    pic_mask(0xFFFE);
    window();
    printf("IRQ 0: %s\n", order);

    start(0xFEEA);
    window();
    window();
    window();
    printf("priority: %s\n", order);

    /* A handler that enables interrupts before its EOI: only higher priority gets in. */
    nest = true;
    start(0xFFEF);
    pic_mask(0xFEEA);
    window();
    window();
    printf("nested, all pending: %s\n", order);
    start(0xFFEF);
    window();
    printf("nested, IRQ 4 first: %s\n", order);
    nest = false;

    /* No EOI: the level stays in service and holds back what is below. */
    no_eoi = true;
    start(0xFFFE);
    window();
    printf("no EOI: %s isr %02x\n", order, pic_isr(PIC1));
    pic_mask(0xFEEA);
    window();
    printf("lower ones wait: %s\n", order);
    outb(PIC1, 0x60); /* specific EOI of level 0 */
    printf("specific EOI: isr %02x\n", pic_isr(PIC1));
    window();
    printf("then: %s isr %02x %02x\n", order, pic_isr(PIC1), pic_isr(PIC2));
    outb(PIC2, 0x20);
    printf("EOI on the slave only: isr %02x %02x\n", pic_isr(PIC1), pic_isr(PIC2));
    outb(PIC1, 0x20);
    window();
    printf("then: %s isr %02x\n", order, pic_isr(PIC1));
    outb(PIC1, 0x20);
    no_eoi = false;

    /* Another vector base. */
    start(0xFFFF);
    outb(PIC1, 0x11);
    outb(PIC1 + 1, 0x50);
    outb(PIC1 + 1, 4);
    outb(PIC1 + 1, 1);
    printf("mask after ICW: %02x\n", inb(PIC1 + 1));
    outb(PIC1 + 1, 0xFF);
    take(0x50, on_pit);
    raise_pit();
    outb(PIC1 + 1, 0xFE);
    window();
    printf("base 50: %s\n", order);

    /* Poll command: the chip answers with the level and takes it into service. */
    start(0xFFEF);
    outb(PIC1, 0x0C);
    printf("poll %02x", inb(PIC1));
    printf(" isr %02x\n", pic_isr(PIC1));
    outb(PIC1, 0x20);
    outb(IER, 0);
    pic_mask(0xFFFF);
    outb(PIC1, 0x0C);
    printf("poll, nothing: %02x\n", inb(PIC1) & 0x80);
}
