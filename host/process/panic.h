/*
 * host_panic (host/host.h), what it reports on, and how to make it happen. It works at any time,
 * within the sandbox and in signal handlers.
 */
#ifndef HOST_PROCESS_PANIC_H
#define HOST_PROCESS_PANIC_H

#include <stdbool.h>

struct vcpu;
struct host_regs;

/* host_panic is to report on this virtual CPU. */
void panic_watch(struct vcpu *v);

/* The signal handler that is about to call host_panic interrupted this. */
void panic_interrupted(const struct host_regs *regs);

/* For tests and developers (-accel process,panic-on-signal=on): from now on SIGUSR1 makes the next
 * panic_if_asked call host_panic, and SIGUSR2 calls it from within the handler. */
void panic_on_signal(void);
void panic_if_asked(void);

#endif
