/* Ports nobody answers read as all ones in every width and swallow writes; PCI configuration
 * mechanism 1 with the 440FX host bridge; the ACPI timer moves (PIIX4 data sheet; PCI 2.1, 3.7.4).
 */
#include "guest.h"

enum { ADDRESS = 0xCF8, DATA = 0xCFC, PM_TIMER = 0x608 };

static uint32_t config(uint32_t bus, uint32_t device, uint32_t function, uint32_t offset) {
    outl(ADDRESS, 0x80000000u | bus << 16 | device << 11 | function << 8 | (offset & 0xFC));
    return inl(DATA);
}

void guest_main(void) {
    static const uint16_t unused[] = {0x1A8, 0x2A8, 0x3A8, 0x5A8, 0x8A8, 0xEFF0};
    for (unsigned i = 0; i < sizeof unused / sizeof unused[0]; i++) {
        outb(unused[i], 0x12);
        outw(unused[i], 0x1234);
        outl(unused[i], 0x12345678);
        printf("port %04x: %02x %04x %08x\n", unused[i], inb(unused[i]), inw(unused[i]),
               inl(unused[i]));
    }

    printf("host bridge %08x\n", config(0, 0, 0, 0));
    printf("class %08x\n", config(0, 0, 0, 8) & 0xFFFFFF00);
    printf("no device %08x %08x\n", config(0, 31, 0, 0), config(5, 0, 0, 0));
    outl(ADDRESS, 0x80000000);
    printf("address reads back %08x\n", inl(ADDRESS));
    printf("bytes %02x %02x words %04x %04x\n", inb(DATA), inb(DATA + 1), inw(DATA), inw(DATA + 2));
    outl(ADDRESS, 0);
    printf("disabled %08x\n", inl(DATA));
    outl(ADDRESS, 0x80000000);
    outl(DATA, 0);
    printf("identity after a write %08x\n", inl(DATA));

    uint32_t first = inl(PM_TIMER), back = 0, moved = 0, last = first;
    for (int i = 0; i < 20000; i++) {
        uint32_t now = inl(PM_TIMER);
        back += ((now - last) & 0xFFFFFF) > 0x7FFFFF;
        moved |= now ^ first;
        last = now;
    }
    printf("ACPI timer: %s, backward steps %u, upper byte %02x\n", moved ? "moves" : "stands", back,
           last >> 24);
}
