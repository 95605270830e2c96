/*
 * What traces and the panic report want to know about translations. Nothing here changes anything,
 * and all of it works in signal handlers.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"
#include "bt/regs.h"

static const struct {
    size_t field; /* of struct bt: its TC offset */
    const char *name;
} thunks[] = {
#define THUNK(n)                                                                                   \
    { offsetof(struct bt, thunk_##n), #n }
    THUNK(jump_miss), THUNK(exit),    THUNK(exit_raw), THUNK(exit_done),  THUNK(return_miss),
    THUNK(enter),     THUNK(callout), THUNK(prepare),  THUNK(commit),     THUNK(commit_stay),
    THUNK(segment),   THUNK(native),  THUNK(resume),   THUNK(jump_check), THUNK(leave),
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

    if (!tc_offset(bt, host, &offset))
        return NULL;
    if (offset >= bt->stubs_start) { /* an exit's way there */
        *into = 0;
        return "exit";
    }
    if (offset >= bt->blocks_start)
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

/* What guest instruction this is code of. False: none. */
static bool recover_host(const struct vm *vm, uint64_t host, struct recovered *at) {
    uint32_t offset;

    if (!tc_offset(vm->bt, host, &offset))
        return false;
    if (recover_at(vm->bt, offset, at) && at->block)
        return true;
    /* what a block checks before its first instruction */
    *at = (struct recovered){.block = block_at(vm->bt, offset)};
    if (!at->block)
        return false;
    at->eip = at->block->eip;
    return true;
}

static gla_t gla_of(const struct recovered *at) {
    return at->block->gla + (at->eip - at->block->eip);
}

bool bt_guest_place(const struct vm *vm, uint64_t host, gla_t *gla) {
    struct recovered at;

    if (!recover_host(vm, host, &at))
        return false;
    *gla = gla_of(&at);
    return true;
}

/* place->esp is R12's or the vCPU's. */
static bool place_of(const struct vm *vm, uint64_t host, struct bt_place *place) {
    struct recovered at;

    if (!recover_host(vm, host, &at))
        return false;
    const struct block *b = at.block;
    place->gla = gla_of(&at);
    place->esp += (uint32_t)at.esp_delta;
    place->cpl = b->key & KEY_CPL;
    place->real = b->key & KEY_REAL;
    return true;
}

static void place_at(const struct vcpu *v, uint32_t eip, struct bt_place *place) {
    place->gla = v->seg[SEG_CS].base + eip;
    place->cpl = v->cpl;
    place->real = !(v->cr0 & CR0_PE) || v->sysflags & EFL_VM;
}

/* The return address of a call by translated code; rsp is on its stack. */
static uint64_t caller(uint64_t rsp) {
    return *(const uint64_t *)(uintptr_t)rsp - 1;
}

enum bt_work bt_locate(const struct vm *vm, const struct host_regs *regs, struct bt_place *place) {
    const struct bt *bt = vm->bt;
    const struct vcpu *v = &vm->vcpu;
    uint64_t rsp = regs->gpr[RSP];
    uint32_t offset;
    bool leaving = false; /* or entering: thunks that call C stand behind those */

    place->esp = (uint32_t)regs->gpr[REG_GUEST_ESP];
    place->ebp = (uint32_t)regs->gpr[RBP];
    if (tc_offset(bt, regs->rip, &offset)) {
        if (offset >= bt->blocks_start && place_of(vm, regs->rip, place))
            return BT_TRANSLATED;
        if (offset >= bt->thunk_return_miss && offset < bt->thunk_jump_check_end) {
            place_at(v, (uint32_t)regs->gpr[R8], place);
            return BT_TRANSLATED;
        }
        leaving = offset < bt->thunk_callout;
        if (!leaving && returns_on_stack(v, rsp) && place_of(vm, caller(rsp), place))
            return BT_CALLED;
    }
    place->esp = v->gpr[ESP];
    place->ebp = v->gpr[EBP];
    if (!leaving && v->tc_rsp && place_of(vm, caller(v->tc_rsp), place))
        return BT_CALLED;
    place_at(v, v->eip, place);
    return leaving ? BT_LEAVING : BT_RUN_LOOP;
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
