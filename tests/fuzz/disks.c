/* Random requests to the IDE controller and its bus master, and to the firmware configuration
 * device, with descriptor tables anywhere (ATA/ATAPI-6; Intel 82371SB data sheet, 2.7). */
#include "fuzz.h"

enum { BM = 0xC000, TABLE = FUZZ_FREE, IDE_DEVFN = 1 << 3 | 1 };

static uint32_t io_base(void) {
    return one_in(8) ? 0x170 : 0x1F0;
}

/* Physical regions: in free memory, across the end of RAM, at devices, nowhere. */
static void put_table(uint32_t at) {
    volatile uint32_t *entry = (volatile uint32_t *)at;
    for (uint32_t n = 1 + below(6); n; n--, entry += 2) {
        entry[0] = one_in(8) ? FUZZ_RAM - below(0x8000) : rnd_address();
        if (entry[0] < FUZZ_FREE && !one_in(8))
            entry[0] += FUZZ_FREE;
        entry[1] = (one_in(2) ? below(16) * 512 : rnd() & 0xFFFF) | (n == 1 ? 0x80000000 : 0);
    }
}

static void task_file(uint32_t base) {
    static const uint8_t commands[] = {0x20, 0x21, 0x24, 0x25, 0x29, 0x30, 0x31, 0x34,
                                       0x35, 0x39, 0x40, 0x70, 0x90, 0x91, 0xA0, 0xA1,
                                       0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0xE0, 0xE7, 0xEA,
                                       0xEC, 0xEF, 0xF5, 0xF8, 0x27, 0x10, 0x08};
    if (one_in(2)) { /* sectors that are there, or nearly so (the disk has 2,048) */
        uint8_t sane[] = {0, (uint8_t)below(20), (uint8_t)rnd(), (uint8_t)below(9), 0, 0xE0};
        for (uint32_t n = 0; n < sizeof sane; n++)
            outb((uint16_t)(base + 1 + n), sane[n]);
    } else {
        for (uint32_t n = 1; n < 6; n++)
            if (one_in(2))
                outb((uint16_t)(base + n), (uint8_t)(one_in(3) ? rnd() : below(8)));
        outb((uint16_t)(base + 6), (uint8_t)(0xA0 | (rnd() & (one_in(4) ? 0xFF : 0x50))));
    }
    outb((uint16_t)(base + 7), one_in(8) ? (uint8_t)rnd() : commands[below(sizeof commands)]);
    if (one_in(16))
        outb((uint16_t)(base + 0x206), (uint8_t)(rnd() & 0x86));
}

static void data(uint32_t base) {
    uint32_t words = one_in(2) ? 256 : below(2000);
    bool out = one_in(2);
    while (words--) {
        if (one_in(16))
            inb((uint16_t)(base + below(8)));
        else if (out)
            outw((uint16_t)base, (uint16_t)words);
        else
            inw((uint16_t)base);
    }
}

static void bus_master(uint32_t base) {
    uint16_t bm = (uint16_t)(BM + (base == 0x170 ? 8 : 0));
    uint32_t at = TABLE + below(0x10000);
    put_table(at & ~3u);
    outl((uint16_t)(bm + 4), one_in(8) ? rnd_address() : at);
    outb((uint16_t)(bm + 2), (uint8_t)rnd());
    outb(bm, (uint8_t)(one_in(4) ? rnd() : below(2) << 3));
    task_file(base);
    if (one_in(2))
        outb((uint16_t)(base + 7), one_in(2) ? 0xC8 : 0xCA); /* READ DMA, WRITE DMA */
    outb(bm, (uint8_t)(1 | below(2) << 3));
    for (uint32_t n = below(4); n; n--)
        inb((uint16_t)(bm + below(8)));
    if (one_in(4))
        outb(bm, 0);
}

static uint32_t big_endian(uint32_t v) {
    return v >> 24 | (v >> 8 & 0xFF00) | (v << 8 & 0xFF0000) | v << 24;
}

static void firmware(void) {
    outw(0x510, one_in(2) ? (uint16_t)below(0x40) : (uint16_t)rnd());
    for (uint32_t n = below(100); n; n--)
        inb(0x511);
    volatile uint32_t *request = (volatile uint32_t *)(TABLE + 0x20000 + below(64));
    request[0] = big_endian(rnd() & (one_in(4) ? 0xFFFFFFFF : 0x003F001F));
    request[1] = big_endian(one_in(4) ? rnd_value() : below(5000));
    request[2] = one_in(16) ? rnd() : 0;
    request[3] = big_endian(one_in(2) ? rnd_address() : FUZZ_FREE + below(0x100000));
    outl(0x514, one_in(32) ? rnd() : 0);
    outl(0x518, big_endian(one_in(8) ? rnd_address() : (uint32_t)request));
}

/* Where the BIOS would have put the bus master, with I/O and bus mastering on. */
static void configure(void) {
    outl(0xCF8, 0x80000000u | IDE_DEVFN << 8 | 0x20);
    outl(0xCFC, BM | 1);
    outl(0xCF8, 0x80000000u | IDE_DEVFN << 8 | 4);
    outw(0xCFC, (uint16_t)(one_in(16) ? rnd() : 5));
    outl(0xCF8, 0x80000000u | IDE_DEVFN << 8 | 0x40);
    outl(0xCFC, one_in(16) ? rnd() : 0x80008000);
}

void round_disks(void) {
    configure();
    for (int i = 0; i < 8; i++) {
        uint32_t base = io_base();
        switch (below(4)) {
        case 0:
            task_file(base);
            break;
        case 1:
            data(base);
            break;
        case 2:
            bus_master(base);
            break;
        default:
            if (one_in(4))
                firmware();
        }
    }
    restore();
}
