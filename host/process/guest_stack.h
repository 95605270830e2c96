/*
 * The guest's call chain, by frame pointers. Reads guest memory without changing anything; all
 * walks are bounded whatever stands there; async-signal-safe. Code: rt_guest_stack.c.
 */
#ifndef HOST_PROCESS_GUEST_STACK_H
#define HOST_PROCESS_GUEST_STACK_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Whether a CALL ends at linear address `to`: E8 rel32, or FF /2 in any of its lengths (SDM vol.
 * 2A, CALL). */
bool guest_stack_behind_call(const struct vcpu *v, uint32_t to);

/* The return address of a function that has not built its frame yet, has taken it down, or never
 * does: it starts at `start`, is at gla, both linear. 0: EBP is its frame, or there is no telling.
 */
uint32_t guest_stack_leaf(const struct vcpu *v, uint32_t start, uint32_t gla, uint32_t esp);

/* Follows saved EBPs from ebp, upwards only, not below *reached, to `max` frames. Puts linear
 * return addresses into callers, the innermost first, and the stack offset behind the last frame
 * into *reached; returns how many. */
unsigned guest_stack_walk(const struct vcpu *v, uint32_t ebp, uint32_t *reached, uint32_t *callers,
                          unsigned max);

#endif
