/* MC146818 clock and CMOS memory: BCD time in range, update-ended, alarm and periodic
 * interrupts with register C cleared by reading, index and NMI bit, memory bytes (data sheet). */
#include "guest.h"

static volatile uint32_t ticks;
static volatile uint8_t last_c;

static uint8_t cmos(uint8_t index) {
    outb(0x70, index);
    return inb(0x71);
}

static void cmos_set(uint8_t index, uint8_t value) {
    outb(0x70, index);
    outb(0x71, value);
}

static void on_rtc(struct trap_frame *frame) {
    (void)frame;
    last_c = cmos(0x0C);
    ticks++;
    pic_eoi(8);
}

static bool bcd_in(uint8_t v, uint8_t low, uint8_t high) {
    return (v & 0x0F) <= 9 && v >> 4 <= 9 && v >= low && v <= high;
}

static void wait_for(const char *name, uint8_t enable, uint32_t count) {
    cmos(0x0C);
    ticks = 0;
    cmos_set(0x0B, (uint8_t)(0x02 | enable));
    pic_mask(0xFEFB);
    while (ticks < count)
        sti_hlt_cli();
    pic_mask(0xFFFF);
    cmos_set(0x0B, 0x02);
    printf("%s: %u, register C %02x\n", name, count, last_c & (0x80 | enable));
}

static void settle(void) {
    while (cmos(0x0A) & 0x80)
        ;
}

void guest_main(void) {
    trap_handlers[VECTOR_IRQ + 8] = on_rtc;
    cmos_set(0x0A, 0x26);
    cmos_set(0x0B, 0x02);
    settle();
    printf("seconds %d minutes %d hours %d day %d month %d year %d weekday %d\n",
           bcd_in(cmos(0), 0, 0x59), bcd_in(cmos(2), 0, 0x59), bcd_in(cmos(4), 0, 0x23),
           bcd_in(cmos(7), 1, 0x31), bcd_in(cmos(8), 1, 0x12), bcd_in(cmos(9), 0, 0x99),
           bcd_in(cmos(6), 1, 7));
    printf("register A %02x B %02x D %02x\n", cmos(0x0A) & 0x7F, cmos(0x0B), cmos(0x0D));
    wait_for("periodic", 0x40, 8);
    wait_for("update ended", 0x10, 1);
    cmos_set(1, 0xC0);
    cmos_set(3, 0xC0);
    cmos_set(5, 0xC0);
    wait_for("alarm every second", 0x20, 1);
    printf("register C after reading: %02x\n", cmos(0x0C) & 0x80);

    /* The time can be set, and SET stops updates. */
    cmos_set(0x0B, 0x82);
    cmos_set(0, 0x58);
    cmos_set(2, 0x59);
    cmos_set(4, 0x23);
    cmos_set(7, 0x28);
    cmos_set(8, 0x02);
    cmos_set(9, 0x24);
    printf("set: %02x:%02x:%02x %02x-%02x-%02x\n", cmos(4), cmos(2), cmos(0), cmos(9), cmos(8),
           cmos(7));
    cmos_set(0x0B, 0x02);
    while (cmos(7) == 0x28)
        ;
    settle();
    printf("midnight of a leap day: %02x:%02x %02x-%02x-%02x\n", cmos(4), cmos(2), cmos(9), cmos(8),
           cmos(7));

    for (uint8_t i = 0x40; i < 0x44; i++)
        cmos_set(i, (uint8_t)(i * 3));
    printf("memory %02x %02x %02x %02x, with the NMI bit %02x\n", cmos(0x40), cmos(0x41),
           cmos(0x42), cmos(0x43), cmos(0xC1));
}
