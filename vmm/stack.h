/*
 * Whole stack frames at once, for events, gates and returns (private to vmm/).
 */
#ifndef VMM_STACK_H
#define VMM_STACK_H

#include "vmm/cpu.h"

/* What pushes and pops may change of ESP: all of it or SP. */
static inline uint32_t stack_mask(const struct seg *ss) {
    return ss->attr & SEG_DB ? 0xffffffffu : 0xffffu;
}

/* ESP with its part that stack segment ss uses replaced. */
static inline uint32_t stack_merge(const struct seg *ss, uint32_t old, uint32_t value) {
    uint32_t mask = stack_mask(ss);

    return (old & ~mask) | (value & mask);
}

/*
 * Pushes a frame of n bytes (ascending order, as they shall stand in memory), made of pushes of
 * `size` bytes, on the stack ss:*esp, which need not be the current one, and moves *esp. user: with
 * CPL 3 rights. False: #SS(error), #AC(0) or #PF pending, nothing written.
 */
bool stack_push_frame(struct vcpu *v, const struct seg *ss, uint32_t *esp, const void *frame,
                      uint32_t n, unsigned size, bool user, uint32_t error);

/* Reads n bytes, made of values of `size` bytes, at `skip` bytes above the current stack's top. ESP
 * does not move. False: #SS(0), #AC(0) or #PF pending. */
bool stack_peek(struct vcpu *v, uint32_t skip, void *buf, uint32_t n, unsigned size);

/* Moves ESP up by n bytes. */
static inline void stack_release(struct vcpu *v, uint32_t n) {
    v->gpr[ESP] = stack_merge(&v->seg[SEG_SS], v->gpr[ESP], v->gpr[ESP] + n);
}

#endif
