/*
 * Direct execution of guest user code by the processor, where the host offers it (host_user_can).
 */
#ifndef BT_NATIVE_H
#define BT_NATIVE_H

#include <stdbool.h>

struct vcpu;

/* Runs code of CPL 3 natively until something needs the VMM. False: the vCPU's state does not allow
 * it, or the next instruction is one that the translator must do; nothing was run. */
bool native_run(struct vcpu *v);

#endif
