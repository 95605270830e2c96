/* 16550A: divisor latch, scratch, FIFO identification, loopback data and modem lines, interrupt
 * identification and priority (PC16550D data sheet). Nothing is printed while loopback is on. */
#include "guest.h"

enum {
    BASE = 0x3F8,
    RBR = BASE,
    IER = BASE + 1,
    IIR = BASE + 2,
    LCR = BASE + 3,
    MCR = BASE + 4,
    LSR = BASE + 5,
    MSR = BASE + 6,
    SCR = BASE + 7
};

static volatile uint32_t interrupts, last_iir;

static void on_uart(struct trap_frame *frame) {
    (void)frame;
    interrupts++;
    last_iir = inb(IIR);
    if ((last_iir & 0xE) == 4)
        inb(RBR);
    if ((last_iir & 0xE) == 6)
        inb(LSR);
    pic_eoi(4);
}

static void drain(void) {
    while ((inb(LSR) & 0x60) != 0x60)
        ;
}

static void window(void) {
    __asm__ volatile("sti; nop; nop; nop; cli");
}

void guest_main(void) {
    trap_handlers[VECTOR_IRQ + 4] = on_uart;
    drain();
    outb(SCR, 0xA5);
    uint8_t scratch = inb(SCR);
    uint8_t lcr = inb(LCR);
    outb(LCR, 0x83);
    uint8_t divisor = inb(BASE), divisor_high = inb(IER);
    outb(BASE, 0x0C);
    uint8_t written = inb(BASE);
    outb(BASE, divisor);
    outb(LCR, lcr);
    printf("scratch %02x lcr %02x divisor %02x%02x %02x\n", scratch, lcr, divisor_high, divisor,
           written);

    printf("iir, no FIFO %02x", inb(IIR));
    outb(IIR, 0x01);
    printf(", FIFO %02x", inb(IIR));
    outb(IIR, 0x00);
    printf(", off %02x\n", inb(IIR));
    drain();
    printf("lsr idle %02x\n", inb(LSR));

    /* Loopback: MCR's outputs come back in MSR, the transmitter into the receiver. */
    drain();
    uint8_t msr[16], got, ready, after;
    outb(MCR, 0x10);
    for (uint8_t i = 0; i < 16; i++) {
        outb(MCR, (uint8_t)(0x10 | i));
        msr[i] = inb(MSR) & 0xF0;
    }
    outb(MCR, 0x10);
    outb(BASE, 0x5C);
    while (!(inb(LSR) & 1))
        ;
    ready = inb(LSR) & 0x1F;
    got = inb(RBR);
    after = inb(LSR) & 0x1F;
    inb(MSR);
    uint8_t delta_none = inb(MSR) & 0x0F;
    outb(MCR, 0x12); /* RTS comes back as CTS */
    uint8_t delta = inb(MSR) & 0x0F;
    outb(MCR, 0x0B);
    printf("modem lines:");
    for (int i = 0; i < 16; i++)
        printf(" %02x", msr[i]);
    printf("\nloop: lsr %02x data %02x then lsr %02x, msr delta %x then %x\n", ready, got, after,
           delta_none, delta);

    /* Transmitter-empty interrupt: raised by enabling it, cleared by reading IIR. */
    drain();
    pic_mask(0xFFEF);
    interrupts = 0;
    window();
    outb(IER, 0x02);
    window();
    uint32_t count = interrupts, iir = last_iir;
    uint8_t iir_after = inb(IIR);
    window();
    uint32_t again = interrupts;
    outb(IER, 0x00);
    outb(IER, 0x02);
    window();
    uint32_t reenabled = interrupts;
    outb(IER, 0x00);
    pic_mask(0xFFFF);
    printf("THRE: %u interrupt, iir %x then %x, %u; enabled again %u\n", count, iir & 0xF,
           iir_after & 0xF, again, reenabled);

    /* Received data in loopback, with OUT2 keeping the line to the PIC open. */
    drain();
    inb(MSR);
    pic_mask(0xFFEF);
    interrupts = 0;
    outb(MCR, 0x18);
    outb(IER, 0x01);
    outb(BASE, 0x77);
    for (uint32_t i = 0; i < 100000 && !(inb(LSR) & 1); i++)
        ;
    uint8_t pending = inb(IIR) & 0x0F, data = inb(RBR), idle = inb(IIR) & 0x0F;
    outb(IER, 0);
    outb(MCR, 0x0B);
    pic_mask(0xFFFF);
    printf("received: iir %x data %02x then %x\n", pending, data, idle);
}
