/*
 * Entering a block of hot code by an indirect jump. Elsewhere the jump cache is asked whether it
 * has the block for EIP. Hot code jumps to what it has, and the block asks: a check stands in front
 * of it, which chains and the run loop pass by.
 *
 *     jump:    movzx r9d, r8w               EIP is in R8
 *              jmp [r13 + r9*8 + door]
 *     check:   lea r9d, [r8 - eip]
 *              movzx r9d, byte [r14 + r9]
 *
 * That is four instructions instead of eight, and leaves the flags alone without a branch: R14
 * points at the last byte of a page, and the 4 GiB behind it are not mapped. So the load succeeds
 * for a difference of 0 and faults for any other.
 *
 * A fault is dear. Where a jump has come to the wrong block `door` leads to a thunk that asks the
 * jump cache, for some seconds. So it does for blocks without a check, and everywhere where the
 * host has no such 4 GiB.
 */
#include "bt/key.h"
#include "bt/lower.h"
#include "bt/regs.h"
#include "bt/translation.h"

#define NO_DOOR_NS 5000000000u

void entry_emit(struct translation *t) {
    struct emit *e = &t->e;
    struct mop at_edge = {.base = REG_EDGE, .index = R9};

    if (!t->extends || !t->v->edge)
        return;
    t->block->has_check = true;
    emit_u8(e, 0x45); /* lea r9d, [r8 + disp32] with the displacement always 32 bits wide */
    emit_u8(e, 0x8d);
    emit_u8(e, 0x88);
    emit_u32(e, 0u - t->eip);
    emit_op_mem(e, 0, 0x0fb6, R9, &at_edge);
}

static uint64_t bit_of(uint32_t eip) {
    return 1ull << eip % 64;
}

static uint64_t *bits_with(struct bt *bt, uint32_t eip) {
    return &bt->no_door[eip % JUMP_CACHE_ENTRIES / 64];
}

uint64_t entry_door(struct bt *bt, const struct block *b) {
    if (bt->kick_ns - bt->no_door_ns >= NO_DOOR_NS) {
        bt->no_door_ns = bt->kick_ns;
        memset(bt->no_door, 0, sizeof bt->no_door);
    }
    bool checks = b->has_check && !(*bits_with(bt, b->eip) & bit_of(b->eip));
    return (uint64_t)(uintptr_t)(bt->code.rx + (checks ? b->host : bt->thunk_jump_check));
}

bool entry_refused(struct bt *bt, const struct vcpu *v, struct host_regs *regs, uint64_t address) {
    uint64_t edge = (uint64_t)(uintptr_t)v->edge;
    uint32_t eip = (uint32_t)regs->gpr[R8];

    if (!edge || address <= edge || address - edge > UINT32_MAX)
        return false;
    *bits_with(bt, eip) |= bit_of(eip);
    regs->rip = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_jump_miss);
    return true;
}
