/*
 * The user's terminal: raw while the guest has it, and as it was whenever we do not.
 */
#ifndef HOST_PROCESS_TERMINAL_H
#define HOST_PROCESS_TERMINAL_H

#include <stdbool.h>

/* If standard input is a terminal: raw mode from now to exit, stop or death. keys_to_guest: Ctrl-C,
 * Ctrl-Z and Ctrl-\ are the guest's, as QEMU has it for -nographic. */
void terminal_raw(bool keys_to_guest);
/* Back to the user's mode. Any time, any number of times; async-signal-safe. */
void terminal_restore(void);

#endif
