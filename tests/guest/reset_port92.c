/* Reset by system control port A: bit 0 pulses INIT (PS/2 technical reference).
 * The runner forbids reboots, so the guest ends there; nothing may be printed after it. */
#include "guest.h"

void guest_main(void) {
    printf("before\n");
    outb(0x92, (uint8_t)((inb(0x92) & ~1u) | 1));
    for (uint32_t i = 0; i < 10000; i++)
        inb(0x80); /* the reset may take a moment */
    printf("after\n");
}
