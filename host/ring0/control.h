/*
 * What the user asks of the VMM while the guest runs: keys behind Ctrl-A on the guest's console,
 * and requests of the launcher's (host/channel.h).
 */
#ifndef HOST_RING0_CONTROL_H
#define HOST_RING0_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

struct trap_frame;
struct vm;

enum { CONTROL_IRQ = 3 /* COM2's */ };

/* Requests are about this VM. `keys`: Ctrl-A on the console is the prefix of our own keys. */
void control_watch(struct vm *vm, bool keys);

/* Ring 0: a byte has come in on the console. True: *byte is the guest's; false: it was ours. */
bool control_key(uint8_t *byte);
/* Ring 0: COM2's interrupt, which found this running. True: there is something for control_poll. */
bool control_interrupt(struct trap_frame *f);
/* Whether there is. */
bool control_pending(void);

/* The user wants the VM to end. A VM that is just being reset cannot be stopped. */
bool control_quit_asked(void);

#endif
