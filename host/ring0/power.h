/*
 * The machine's off switch.
 */
#ifndef HOST_RING0_POWER_H
#define HOST_RING0_POWER_H

#include <stdint.h>

/* What the VMM ends with, as the process host's exit status has it; a panic is SIGABRT there. */
enum { POWER_OK = 0, POWER_REFUSED = 2, POWER_PANIC = 6 };

/* What is written to the exit port: this + status, which no other end of the emulator looks like.
 */
enum { POWER_EXIT_MARK = 32 };

/* An I/O port that ends the emulator with an exit status made of the value written to it (QEMU's
 * isa-debug-exit); 0: there is none. */
void power_set_exit_port(uint16_t port);

/* Ring 0: shows nothing, switches off; where that cannot be done, and so that a message can be read
 * after anything but POWER_OK, halts for good. */
_Noreturn void power_off(unsigned status);

#endif
