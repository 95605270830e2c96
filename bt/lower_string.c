/*
 * String instructions. In 64-bit mode they address [RSI] and [RDI] and only the source's segment
 * can be overridden, so the direct form turns ESI/EDI into pointers into the window around the
 * instruction. Windows start at multiples of 4 GiB: cutting the pointers back to 32 bits gives the
 * guest's values again, also in the middle of a repeat (recover.c). Everything else is checked:
 * callout_movs and the others. Intel SDM vol. 2, MOVS, STOS, LODS, CMPS, SCAS.
 */
#include "bt/lower.h"
#include "bt/translation.h"

enum { STRING_SI = 1, STRING_DI = 2 };

struct string_op {
    callout_fn checked;
    unsigned uses;
};

static struct string_op string_op(const struct insn *i) {
    switch (i->opcode & 0xfe) {
    case 0xa4:
        return (struct string_op){callout_movs, STRING_SI | STRING_DI};
    case 0xa6:
        return (struct string_op){callout_cmps, STRING_SI | STRING_DI};
    case 0xaa:
        return (struct string_op){callout_stos, STRING_DI};
    case 0xac:
        return (struct string_op){callout_lods, STRING_SI};
    default:
        return (struct string_op){callout_scas, STRING_DI};
    }
}

static void emit_pointer(struct translation *t, int reg) {
    emit_lea64(&t->e, reg, (struct mop){.base = (int8_t)reg, .index = R8});
}

void lower_string(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;
    struct string_op op = string_op(i);
    bool si_flat = i->mem.seg < SEG_FS && (t->key & KEY_FLAT(i->mem.seg));
    bool flat = (!(op.uses & STRING_SI) || si_flat) &&
                (!(op.uses & STRING_DI) || (t->key & KEY_FLAT(SEG_ES)));

    if (t->checked || !flat || i->mem.adsize != 4 || translation_single(t) || t->key & KEY_ALIGN) {
        exit_callout(t, op.checked, lower_callout_arg(t, i));
        return;
    }
    emit_load64(e, R8,
                mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, window_base) +
                                             8 * (size_t)key_user(t->key))));
    if (op.uses & STRING_SI)
        emit_pointer(t, RSI);
    if (op.uses & STRING_DI)
        emit_pointer(t, RDI);
    translation_mark(t, t->eip, i->rep == CO_REP_NONE ? FIX_NONE : FIX_STRING);
    if (i->opsize == 2 && (i->opcode & 1))
        emit_u8(e, 0x66);
    if (i->rep != CO_REP_NONE)
        emit_u8(e, i->rep == CO_REP_NE ? 0xf2 : 0xf3);
    emit_u8(e, i->opcode);
    /* from here on the instruction is complete: a kick must not start it again */
    translation_mark(t, t->next_eip, FIX_NONE);
    if (op.uses & STRING_SI)
        emit_mov_rr(e, RSI, RSI);
    if (op.uses & STRING_DI)
        emit_mov_rr(e, RDI, RDI);
}
