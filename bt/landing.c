/*
 * Landings: where a host RET comes back to, behind the host CALL (returns.c). The code there is for
 * the EIP behind the guest's CALL; R8 has the one that RET has popped, which the guest may have
 * changed, or another stack it may be.
 *
 * Hot code looks by a load that faults (edge.c). Where that has gone wrong once it is translated
 * anew and looks as other code does.
 */
#include "bt/lower.h"
#include "bt/regs.h"
#include "bt/translation.h"

/* movzx r10d, byte [r14 + r9]; entry.c loads R9 */
static const uint8_t edge_load[] = {0x47, 0x0f, 0xb6, 0x14, 0x0e};

/* Flags stay, whatever comes here: when it goes elsewhere, the code there may look at them. */
static void emit_look(struct translation *t) {
    struct emit *e = &t->e;

    emit_mov64_rr(e, R9, RCX);
    emit_lea(e, RCX, mop_base(R8, (int32_t)(0u - t->next_eip)));
    uint8_t *match = emit_short(e, 0xe3); /* jrcxz */
    emit_mov64_rr(e, RCX, R9);
    emit_patch32(emit_jmp(e), bt_rw(t->bt, t->bt->thunk_return_miss));
    emit_bind_short(e, match);
    emit_mov64_rr(e, RCX, R9);
}

void landing_emit(struct translation *t) {
    struct bt *bt = t->bt;

    if (t->extends && t->v->edge && !astray_has(&bt->no_landing, t->next_eip, bt->kick_ns))
        edge_emit_compare(&t->e, t->next_eip, R10);
    else
        emit_look(t);
    exit_emit_count(bt, &t->e, MOP_VCPU(return_hits));
}

bool landing_refused(struct bt *bt, struct vcpu *v, struct host_regs *regs, uint64_t address) {
    uint32_t difference = edge_difference(v, address);
    uint32_t at = (uint32_t)(regs->rip - (uint64_t)(uintptr_t)bt->code.rx);

    if (!difference || memcmp(bt_rw(bt, at), edge_load, sizeof edge_load) != 0)
        return false;
    uint32_t eip = (uint32_t)regs->gpr[R8] - difference;
    astray_add(&bt->no_landing, eip, bt->kick_ns);
    if (LOG_ON(LOG_MMU))
        host_log("bt: return to @%08x came to %08x", (uint32_t)regs->gpr[R8], eip);
    codepage_kill_at(bt, v->seg[SEG_CS].base + eip - 1); /* CALL's last byte */
    bt->stats.retranslated++;
    returns_scrub(v, regs->gpr[RSP]);
    regs->rip = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_return_miss);
    return true;
}
