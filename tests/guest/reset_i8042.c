/* Reset by the keyboard controller: command FE pulses output bit 0 (8042 data sheet; IBM AT
 * technical reference). The runner forbids reboots, so the guest ends there; nothing may be printed
 * after it. */
#include "guest.h"

void guest_main(void) {
    printf("before\n");
    while (inb(0x64) & 2)
        ;
    outb(0x64, 0xFE);
    for (uint32_t i = 0; i < 10000; i++)
        inb(0x80); /* the reset may take a moment */
    printf("after\n");
}
