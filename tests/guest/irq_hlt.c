/* HLT: woken by an interrupt, EIP after it; not by a masked one; ring 3 #GP. Ten PIT ticks counted
 * by a handler (SDM vol 2A, HLT). */
#include "guest.h"

enum { RTC_TICK = 1000 };

CODE(hlt, "hlt; nop");

static volatile uint32_t ticks, from_halt;

static void on_tick(struct trap_frame *frame) {
    ticks++;
    from_halt += ((const volatile uint8_t *)frame->eip)[-1] == 0xF4;
    pic_eoi(0);
}

static void on_rtc(struct trap_frame *frame) {
    (void)frame;
    outb(0x70, 0x0C);
    inb(0x71);
    pic_eoi(8);
    ticks += RTC_TICK;
}

void guest_main(void) {
    RING3(hlt);
    trap_handlers[VECTOR_IRQ] = on_tick;
    trap_handlers[VECTOR_IRQ + 8] = on_rtc;
    outb(0x43, 0x34); /* channel 0, mode 2 */
    outb(0x40, 11932 & 0xFF);
    outb(0x40, 11932 >> 8);
    pic_mask(0xFFFE);
    uint32_t halts = 0;
    while (ticks < 10) {
        sti_hlt_cli();
        halts++;
    }
    /* a slow machine has ticks to spare: more than one may come between STI and CLI */
    printf("halts %s than ticks, woken in HLT %s\n", halts <= ticks ? "no more" : "more",
           from_halt ? "yes" : "no");

    /* Masked at the PIC: only the RTC (IRQ 8) wakes. */
    ticks = 0;
    pic_mask(0xFEFB);
    outb(0x70, 0x0A);
    outb(0x71, 0x2A); /* 64 Hz */
    outb(0x70, 0x0C);
    inb(0x71);
    outb(0x70, 0x0B);
    outb(0x71, 0x42);
    sti_hlt_cli();
    printf("PIT masked: ticks %s\n", ticks && ticks % RTC_TICK == 0 ? "of the RTC"
                                     : ticks                        ? "of both"
                                                                    : "none");
    outb(0x70, 0x0B);
    outb(0x71, 0x02);
    pic_mask(0xFFFF);

    /* Without a halt, a spinning guest is interrupted all the same. */
    ticks = from_halt = 0;
    pic_mask(0xFFFE);
    sti();
    while (ticks < 5)
        ;
    cli();
    printf("spinning: in HLT %u\n", from_halt);

    /* IF clear: ticks are held back, one is delivered after STI. */
    uint32_t before = ticks;
    for (int i = 0; i < 2; i++) {
        while (!(pic_irr(PIC1) & 1))
            ;
    }
    printf("IF clear: %u\n", ticks - before);
    before = ticks;
    __asm__ volatile("sti; nop; nop; cli");
    printf("IF set: %s\n", ticks > before ? "delivered" : "lost");
}
