/* 8254: modes 0, 2 and 3 on channel 0 and 2, latching, read-back, byte access, the gate and output
 * of channel 2 on port 0x61 (Intel 8254 data sheet). Only what does not depend on speed is printed.
 */
#include "guest.h"

static volatile uint32_t ticks;

static void on_tick(struct trap_frame *frame) {
    (void)frame;
    ticks++;
    pic_eoi(0);
}

static void program(uint8_t control, uint16_t count) {
    uint16_t port = (uint16_t)(0x40 + (control >> 6));
    outb(0x43, control);
    outb(port, (uint8_t)count);
    outb(port, (uint8_t)(count >> 8));
}

static uint16_t latched(int channel) {
    outb(0x43, (uint8_t)(channel << 6));
    uint8_t lo = inb((uint16_t)(0x40 + channel));
    return (uint16_t)(lo | inb((uint16_t)(0x40 + channel)) << 8);
}

static uint8_t status(int channel) {
    outb(0x43, (uint8_t)(0xE0 | 2 << channel));
    return inb((uint16_t)(0x40 + channel));
}

static void count_ticks(const char *name, uint8_t control, uint16_t count, uint32_t wanted) {
    ticks = 0;
    program(control, count);
    pic_mask(0xFFFE);
    while (ticks < wanted)
        sti_hlt_cli();
    pic_mask(0xFFFF);
    printf("%s: %u ticks\n", name, wanted);
}

void guest_main(void) {
    trap_handlers[VECTOR_IRQ] = on_tick;

    count_ticks("mode 2", 0x34, 5000, 10);
    printf("status %02x\n", status(0) & 0x3F);
    count_ticks("mode 3", 0x36, 5000, 10);
    printf("status %02x\n", status(0) & 0x3F);
    pic_init();
    count_ticks("mode 0", 0x30, 5000, 1);
    printf("status %02x\n", status(0) & 0xBF);

    /* Mode 0 fires once per count written. */
    pic_mask(0xFFFE);
    uint32_t before = ticks;
    program(0x74, 0); /* channel 1 only passes time below */
    for (int i = 0; i < 3; i++)
        for (uint16_t last = latched(1), now; (now = latched(1)) <= last; last = now)
            __asm__ volatile("sti; nop; cli");
    printf("mode 0 again without a count: %u\n", ticks - before);
    program(0x30, 1000);
    while (ticks == before)
        sti_hlt_cli();
    printf("with one: %u\n", ticks - before);
    pic_mask(0xFFFF);

    /* The counter counts down, and a latched value stands still. */
    program(0x34, 0xFFFF);
    uint16_t first = latched(0), second = latched(0);
    printf("counts down: %s\n", (uint16_t)(first - second) < 0x8000 ? "yes" : "no");
    bool moved = false;
    for (int i = 0; i < 100000 && !moved; i++)
        moved = latched(0) != first;
    printf("moves: %s\n", moved ? "yes" : "no");
    outb(0x43, 0x00);
    uint8_t lo = inb(0x40), hi = inb(0x40);
    outb(0x43, 0xC2); /* read back: latch count and status of channel 0 */
    uint8_t state = inb(0x40);
    uint8_t lo2 = inb(0x40), hi2 = inb(0x40);
    printf("read back status %02x, later: %s\n", state & 0x3F,
           (uint16_t)((lo | hi << 8) - (lo2 | hi2 << 8)) < 0x8000 ? "yes" : "no");

    /* Byte access. */
    outb(0x43, 0x14);
    outb(0x40, 200);
    bool small = true;
    for (int i = 0; i < 1000; i++)
        small &= inb(0x40) <= 200;
    printf("low byte only: %s, status %02x\n", small ? "in range" : "out of range",
           status(0) & 0x3F);

    /* Channel 2: gate and output on port 0x61. */
    outb(0x61, 0);
    program(0xB0, 0);
    printf("gate low: output %d, ", inb(0x61) >> 5 & 1);
    uint16_t held = latched(2);
    for (int i = 0; i < 1000; i++)
        latched(0);
    printf("held %s\n", latched(2) == held ? "yes" : "no");
    outb(0x61, 1);
    printf("gate reads back %d\n", inb(0x61) & 3);
    while (!(inb(0x61) & 0x20))
        ;
    printf("output went up\n");
    program(0xB0, 0);
    printf("new count: output %d, status %02x\n", inb(0x61) >> 5 & 1, status(2) & 0x3F);
    program(0xB6, 1000);
    for (int i = 0; i < 4; i++) {
        int level = i & 1;
        while ((inb(0x61) >> 5 & 1) != level)
            ;
    }
    printf("square wave toggles\n");
    outb(0x61, 0);
}
