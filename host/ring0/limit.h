/*
 * A limit to how long the VM may run.
 */
#ifndef HOST_RING0_LIMIT_H
#define HOST_RING0_LIMIT_H

#include <stdint.h>

struct vm;

/* The VM ends with VM_STOP_QUIT at the first kick after host_clock_ns() has reached this;
 * UINT64_MAX: it need not. */
void limit_set(struct vm *vm, uint64_t end_ns);
uint64_t limit_end(void);
/* At a kick: ends the VM if it is time. */
void limit_check(void);

#endif
