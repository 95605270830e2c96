/*
 * Entering a block of hot code by an indirect jump. Elsewhere the jump cache is asked whether it
 * has the block for EIP. Hot code jumps to what it has, and the block asks: a check stands in front
 * of it, which chains and the run loop pass by.
 *
 *     jump:    movzx r9d, r8w               EIP is in R8
 *              jmp [r13 + r9*8 + door]
 *     check:   is R8 the block's EIP?       (edge.c)
 *
 * That is four instructions instead of eight. Where a jump has come to the wrong block `door` leads
 * to a thunk that asks the jump cache, for some seconds. So it does for blocks without a check, and
 * everywhere where the host has no edge.
 */
#include "bt/regs.h"
#include "bt/translation.h"

/* The EIP that comes and the block's, whose entry of the jump cache it has found, are one there. */
_Static_assert(JUMP_CACHE_ENTRIES % ASTRAY_BITS == 0, "another entry's door would close");

void entry_emit(struct translation *t) {
    if (!t->extends || !t->v->edge)
        return;
    t->block->has_check = true;
    edge_emit_compare(&t->e, t->eip, R9);
}

uint64_t entry_door(struct bt *bt, const struct block *b) {
    bool checks = b->has_check && !astray_has(&bt->no_door, b->eip, bt->kick_ns);

    return (uint64_t)(uintptr_t)(bt->code.rx + (checks ? b->host : bt->thunk_jump_check));
}

bool entry_refused(struct bt *bt, const struct vcpu *v, struct host_regs *regs, uint64_t address) {
    if (!edge_difference(v, address))
        return false;
    astray_add(&bt->no_door, (uint32_t)regs->gpr[R8], bt->kick_ns);
    regs->rip = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_jump_miss);
    return true;
}
