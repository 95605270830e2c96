/*
 * Returns that ride on the host's return predictor. Translated code has a stack of its own: a guest
 * CALL is also a host CALL, a guest RET a host RET.
 *
 *      base     return_miss thunk: jump cache
 *      base-8   host address behind the first host CALL: a landing (landing.c)
 *      ...      RSP
 *
 * RET leaves the EIP it has popped in R8. The landing compares it with the one behind its CALL;
 * when they differ the stack is emptied and the jump cache decides. Leaving translated code empties
 * it, too.
 *
 * An address is good as long as the code it leads to is: when a block dies or the linear map
 * changes while addresses are on the stack, they are replaced by the miss thunk's before translated
 * code goes on. When the stack is full it is emptied: these addresses are only ever a shortcut.
 */
#include "bt/bt_priv.h"
#include "bt/regs.h"

enum { STACK_BYTES = 256 << 10, SENTINEL_BYTES = 64 };

static uint64_t miss_address(const struct bt *bt) {
    return (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_return_miss);
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
    for (uint64_t at = rsp; at < v->tc_stack; at += 8)
        *slot(at) = miss_address(v->vm->bt);
    v->returns_stale = false;
}

/* Above its base by one word between the RET that has popped the sentinel and the thunk's MOV. */
bool returns_on_stack(const struct vcpu *v, uint64_t rsp) {
    return rsp <= v->tc_stack + 8 && rsp >= v->tc_stack + SENTINEL_BYTES - STACK_BYTES;
}

bool returns_overflow(struct vcpu *v, struct host_regs *regs, uint64_t address) {
    uint64_t bottom = v->tc_stack + SENTINEL_BYTES - STACK_BYTES;
    uint64_t *rsp = &regs->gpr[RSP];

    if (address >= bottom || address < bottom - 8 || *rsp > v->tc_stack)
        return false;
    *rsp = v->tc_stack;
    return true;
}
