/* Triple fault: an exception while #DF is delivered resets the machine (SDM vol 3A, 6.15, vector
 * 8). The runner forbids reboots, so the guest ends there; nothing may be printed after it. */
#include "guest.h"

void guest_main(void) {
    printf("before\n");
    lidt(idt, 0);
    __asm__ volatile("int3");
    printf("after\n");
}
