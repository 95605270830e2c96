/* Reads sectors 5 and 6 of the first disk in one request, waits for a byte on COM1, and reads
 * sector 9 by itself. Says how the status ends and what the first word of the last sector is. */
#include "guest.h"

enum { ATA = 0x1f0, COUNT = 2, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, STATUS, READ = 0x20 };
enum { BSY = 0x80, ERR = 1, WORDS = 256 };

static void read_sectors(uint8_t first, uint8_t count) {
    uint32_t word = 0;

    outb(ATA + DEVICE, 0xe0);
    outb(ATA + COUNT, count);
    outb(ATA + LBA_LOW, first);
    outb(ATA + LBA_MID, 0);
    outb(ATA + LBA_HIGH, 0);
    outb(ATA + STATUS, READ);
    for (; count > 0; count--) {
        while (inb(ATA + STATUS) & BSY)
            ;
        if (inb(ATA + STATUS) & ERR)
            break;
        word = inw(ATA);
        for (unsigned n = 1; n < WORDS; n++)
            (void)inw(ATA);
    }
    printf("sector %u: status %02x, word %04x\n", first, inb(ATA + STATUS), word);
}

void guest_main(void) {
    read_sectors(5, 2);
    while (!(inb(0x3f8 + 5) & 1))
        ;
    (void)inb(0x3f8);
    read_sectors(9, 1);
}
