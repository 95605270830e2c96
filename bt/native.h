/*
 * Direct execution of guest user code by the processor, where the host offers it (host_user_can).
 */
#ifndef BT_NATIVE_H
#define BT_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/callout.h"

struct native_ldt;
struct vcpu;

/* Runs code of CPL 3 natively until something needs the VMM. False: the vCPU's state does not allow
 * it, or the next instruction is one that the translator must do; nothing was run. */
bool native_run(struct vcpu *v);

/* For thunk_native, whose caller native_run is. */
_Noreturn void native_go(struct vcpu *v);

/* The callout for translated code to call in place of fn: where it returns to CPL 3, the same with
 * a native run behind it. */
callout_fn native_callout(callout_fn fn);

/* A guest's descriptor as user code may have it, 0: not at all. What would be marked accessed is
 * given as absent, so that the translator marks it in the guest's table. */
uint64_t native_user_descriptor(uint64_t guest);

/* Memory for the copy of an LDT. False: there is none. */
bool native_ldt_create(struct native_ldt *l);
/* Makes the copy what the guest's LDT is now. True: it has changed. */
bool native_ldt_follow(const struct vcpu *v, struct native_ldt *l);

#endif
