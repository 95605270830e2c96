/*
 * ESP that lags behind. Each PUSH, POP, CALL and RET changes ESP; in a host register that is a
 * chain of additions, each waiting for the one before (the host's own stack engine does not apply
 * to R12). Within a block the translator therefore keeps track itself: guest ESP = R12 +
 * t->esp_delta, memory operands have the difference in their displacement, and R12 is settled
 * before anything that needs the register. Side tables hold the difference for the exact state at a
 * fault.
 *
 * Only where blocks extend (translate.c): there operands are direct and segments flat or wide.
 */
#include <Zydis/Mnemonic.h>

#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

/* What a side-table entry can hold, less what one instruction adds. */
enum { DELTA_MIN = ESP_DELTA_MIN + 4, DELTA_MAX = ESP_DELTA_MAX - 4 };

void esp_settle(struct translation *t) {
    if (!t->esp_delta)
        return;
    emit_lea(&t->e, REG_GUEST_ESP, mop_base(REG_GUEST_ESP, t->esp_delta));
    t->esp_delta = 0;
    translation_mark(t, t->eip, FIX_NONE);
}

static bool is_esp(unsigned kind, unsigned number) {
    return kind == KIND_GPR && number == ESP;
}

/* Is ESP one of the register operands? */
static bool names_esp(const struct insn *i) {
    if (i->has_modrm)
        return is_esp(i->reg_kind, i->modrm_reg) ||
               (!i->mem.present && is_esp(i->rm_kind, i->modrm_rm));
    return is_esp(i->opreg_kind, i->opcode & 7);
}

bool esp_may_lag(const struct translation *t, const struct insn *i) {
    lower_fn lower = i->row->lower;

    if (!t->extends || t->checked || t->poll_in || !(t->key & KEY_STACK32) ||
        t->esp_delta < DELTA_MIN || t->esp_delta > DELTA_MAX ||
        !operand_is_plain(t, SEG_SS, MMU_R | MMU_W))
        return false;
    if (i->mem.present && !operand_needs_no_thunk(t, i))
        return false;
    if (lower == lower_copy || lower == lower_lea)
        return !names_esp(i);
    if (lower == lower_mov)
        return i->map == MAP_PRIMARY && i->opcode != 0x8c && i->opcode != 0x8e && !names_esp(i);
    if (lower == lower_push || lower == lower_pop)
        return i->map == MAP_PRIMARY && i->opcode >= 0x50 && i->opcode != 0x8f && !names_esp(i) &&
               i->stack_size == 4;
    if (lower == lower_call)
        return i->relative && i->stack_size == 4;
    return lower == lower_nop || (lower == lower_ret && i->opcode >= 0xc2 && i->opcode <= 0xc3);
}

bool esp_fold(struct translation *t, const struct insn *i) {
    int32_t by = (int32_t)i->imm;

    if (!t->extends || t->checked || t->poll_in || !(t->key & KEY_STACK32) ||
        (i->mnemonic != ZYDIS_MNEMONIC_ADD && i->mnemonic != ZYDIS_MNEMONIC_SUB) ||
        i->map != MAP_PRIMARY || (i->opcode != 0x81 && i->opcode != 0x83) || i->opsize != 4 ||
        i->mem.present || i->modrm_rm != ESP)
        return false;
    if (by % 4 || by < ESP_DELTA_MIN || by > ESP_DELTA_MAX)
        return false;
    by = t->esp_delta + (i->mnemonic == ZYDIS_MNEMONIC_ADD ? by : -by);
    if (by < ESP_DELTA_MIN || by > ESP_DELTA_MAX || !translation_flags_dead(t, t->next_eip))
        return false;
    t->esp_delta = by;
    return true;
}
