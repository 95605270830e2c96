/* Reads the first sector of the first disk three times, and says how the disk's status ends. */
#include "guest.h"

enum {
    ATA = 0x1f0,
    COUNT = 2,
    LBA_LOW,
    LBA_MID,
    LBA_HIGH,
    DEVICE,
    STATUS,
    BSY = 0x80,
    READ = 0x20
};

void guest_main(void) {
    printf("asking\n");
    for (unsigned n = 0; n < 3; n++) {
        outb(ATA + DEVICE, 0xe0);
        outb(ATA + COUNT, 1);
        outb(ATA + LBA_LOW, 0);
        outb(ATA + LBA_MID, 0);
        outb(ATA + LBA_HIGH, 0);
        outb(ATA + STATUS, READ);
        while (inb(ATA + STATUS) & BSY)
            ;
        printf("status %02x\n", inb(ATA + STATUS));
    }
}
