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

/* The next exception at this address is expected: it is noted, and execution goes on `skip` bytes
 * behind. For selftest.c. */
struct trap_probe {
    uint64_t rip;
    uint64_t skip;
    uint64_t vector, cs; /* what came; vector TRAP_NONE: nothing */
};
enum { TRAP_NONE = 256 };
extern struct trap_probe trap_probe;

/* What has come in, for -stats. */
struct trap_counts {
    uint64_t exceptions, interrupts, kicks_ring1;
    uint64_t user;          /* of all: those that came from ring 3 */
    uint64_t translated[4]; /* of all: those that found translated code running, by ring */
};
extern struct trap_counts trap_counts;

/* Deals with it: what the stubs of entry.S call. */
void trap_handle(struct trap_frame *f);

/* Leaves ring 0: fn runs in ring 1, on the given stack, and must not return. */
_Noreturn void ring1_enter(void (*fn)(void), void *stack);

#endif
