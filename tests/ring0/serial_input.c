/* Reads 4,000 bytes from COM1, computing in between with interrupts off, and says what came. */
#include "guest.h"

enum { COM1 = 0x3f8, LSR = 5, DATA_READY = 1, BYTES = 4000, PAUSE = 20000 };

void guest_main(void) {
    uint32_t sum = 0, weighted = 0;

    printf("ready\n");
    for (uint32_t n = 0; n < BYTES; n++) {
        while (!(inb(COM1 + LSR) & DATA_READY))
            ;
        uint8_t byte = inb(COM1);
        sum += byte;
        weighted += n * byte;
        if (n % 16 == 0)
            for (uint32_t i = 0; i < PAUSE; i++)
                __asm__ volatile("" : : : "memory");
    }
    printf("%u bytes, sum %u, %08x\n", BYTES, sum, weighted);
}
