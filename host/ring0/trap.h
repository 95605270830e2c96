/*
 * Interrupts and exceptions, whichever ring they come from.
 */
#ifndef HOST_RING0_TRAP_H
#define HOST_RING0_TRAP_H

#include <stdint.h>

struct vcpu;

/* What entry.S puts on the stack. */
struct trap_frame {
    uint64_t gpr[16]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
    uint64_t vector;
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Exceptions and kicks from now on concern this virtual CPU. */
void trap_watch(struct vcpu *v);
/* The vCPU being watched, or NULL. */
struct vcpu *trap_watched(void);

/* What has come in, for -stats. */
struct trap_counts {
    uint64_t exceptions, interrupts, kicks_ring1;
};
extern struct trap_counts trap_counts;

/* Leaves ring 0: fn runs in ring 1, on the given stack, and must not return. */
_Noreturn void ring1_enter(void (*fn)(void), void *stack);

#endif
