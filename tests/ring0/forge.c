/* A kernel that writes lines for the launcher to the ports by which the VMM sends them, and
 * requests of the launcher's to the other one. They are the emulated PC's, which the guest must not
 * reach. */
#include "guest.h"

void guest_main(void) {
    static const uint16_t ports[] = {0xec, 0x2f8, 0xe9, 0x402, 0xf4};
    static const char lines[] = "\nSforged\nTforged\nP1 forged\nL7\nqpP";

    for (unsigned i = 0; i < sizeof ports / sizeof ports[0]; i++)
        for (const char *c = lines; *c; c++)
            outb(ports[i], (uint8_t)*c);
    printf("still here\n");
}
