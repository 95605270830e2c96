/*
 * host_panic (host/host.h) and what it reports on.
 */
#ifndef HOST_PROCESS_PANIC_H
#define HOST_PROCESS_PANIC_H

struct vcpu;

/* host_panic is to print this virtual CPU's registers. */
void panic_watch(const struct vcpu *v);

#endif
