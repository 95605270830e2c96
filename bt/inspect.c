/*
 * What traces and the panic report want to know about translations. Nothing here changes anything,
 * and all of it works in signal handlers.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"

static const struct {
    size_t field; /* of struct bt: its TC offset */
    const char *name;
} thunks[] = {
#define THUNK(n)                                                                                   \
    { offsetof(struct bt, thunk_##n), #n }
    THUNK(enter),   THUNK(exit),   THUNK(exit_raw),    THUNK(jump_miss), THUNK(callout),
    THUNK(prepare), THUNK(commit), THUNK(commit_stay), THUNK(segment),
#undef THUNK
};

static bool tc_offset(const struct bt *bt, uint64_t host, uint32_t *offset) {
    uint64_t rx = (uint64_t)(uintptr_t)bt->code.rx;
    if (host < rx || host - rx >= bt->code.size)
        return false;
    *offset = (uint32_t)(host - rx);
    return true;
}

const char *bt_thunk_name(const struct vm *vm, uint64_t host, uint32_t *into) {
    const struct bt *bt = vm->bt;
    const char *name = NULL;
    uint32_t offset, best = 0;

    if (!tc_offset(bt, host, &offset) || offset >= bt->blocks_start)
        return NULL;
    for (unsigned k = 0; k < sizeof thunks / sizeof thunks[0]; k++) {
        uint32_t start;
        memcpy(&start, (const uint8_t *)bt + thunks[k].field, sizeof start);
        if (start <= offset && (name == NULL || start > best)) {
            name = thunks[k].name;
            best = start;
        }
    }
    *into = offset - best;
    return name;
}

bool bt_guest_place(const struct vm *vm, uint64_t host, gla_t *gla) {
    struct recovered at;
    const struct block *b;
    uint32_t offset;

    if (!tc_offset(vm->bt, host, &offset))
        return false;
    if (recover_at(vm->bt, offset, &at)) {
        *gla = at.block->gla + (at.eip - at.block->eip);
        return true;
    }
    /* what a block checks before its first instruction */
    b = block_at(vm->bt, offset);
    if (b)
        *gla = b->gla;
    return b != NULL;
}

unsigned bt_recent(const struct vm *vm, gla_t *out, unsigned max) {
    const struct bt *bt = vm->bt;
    unsigned n = 0;

    while (n < max && n < RECENT_BLOCKS && n < bt->recent_count) {
        out[n] = bt->recent[(bt->recent_count - 1 - n) % RECENT_BLOCKS];
        n++;
    }
    return n;
}

bool bt_recover(struct vcpu *v, const struct host_regs *regs) {
    struct recovered at;
    uint32_t offset;

    if (!tc_offset(v->vm->bt, regs->rip, &offset) || !recover_at(v->vm->bt, offset, &at))
        return false;
    fault_save_state(v, regs, &at);
    return true;
}
