/*
 * Returns that ride on the host's return predictor. Translated code has a stack of its own. A guest
 * CALL pushes a pair on it, negated guest return address and host return address (by a host CALL):
 *
 *      base+8   0                    sentinel
 *      base     jump_miss thunk
 *      base-8   -(guest EIP behind the first CALL)
 *      base-16  host address behind its host CALL
 *      ...                           RSP, a multiple of 16 between instructions
 *
 * A guest RET compares the address it popped with the top pair's; when they agree a host RET goes
 * back, else the stack is emptied and the jump cache decides (exits.c). Leaving translated code
 * empties it, too.
 *
 * A pair is good as long as the code it returns to is: when a block dies or the linear map changes
 * while pairs are on the stack, their host addresses are replaced by the miss thunk's before
 * translated code goes on. When the stack is full it is emptied: pairs are only ever a shortcut.
 */
#include "bt/bt_priv.h"
#include "bt/regs.h"

enum { STACK_BYTES = 256 << 10, SENTINEL_BYTES = 64 };

static uint64_t miss_address(const struct bt *bt) {
    return (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_jump_miss);
}

static uint64_t *slot(uint64_t address) {
    return (uint64_t *)(uintptr_t)address;
}

bool returns_create(struct bt *bt) {
    uint8_t *top = host_stack_create(STACK_BYTES);
    struct vcpu *v = &bt->vm->vcpu;

    if (!top)
        return false;
    v->tc_stack = (uint64_t)(uintptr_t)top - SENTINEL_BYTES;
    *slot(v->tc_stack) = miss_address(bt);
    return true;
}

void returns_scrub(struct vcpu *v, uint64_t rsp) {
    /* translated code and thunks push at most one word on top of the pairs */
    for (uint64_t at = (rsp + 15) & ~15ull; at < v->tc_stack; at += 16)
        *slot(at) = miss_address(v->vm->bt);
    v->returns_stale = false;
}

bool returns_on_stack(const struct vcpu *v, uint64_t rsp) {
    return rsp <= v->tc_stack && rsp >= v->tc_stack + SENTINEL_BYTES - STACK_BYTES;
}

bool returns_overflow(struct vcpu *v, struct host_regs *regs, uint64_t address) {
    uint64_t bottom = v->tc_stack + SENTINEL_BYTES - STACK_BYTES;
    uint64_t *rsp = &regs->gpr[RSP];

    if (address >= bottom || address < bottom - 16 || *rsp > v->tc_stack)
        return false;
    if (*rsp % 16 == 0) {
        *rsp = v->tc_stack; /* at the push of a pair */
    } else {
        /* at the host CALL: its pair's first half moves along */
        uint64_t half = *slot(*rsp);
        *rsp = v->tc_stack - 8;
        *slot(*rsp) = half;
    }
    return true;
}
