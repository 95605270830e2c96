/*
 * Instructions that mean the same in 64-bit mode: copied with their operands moved to where the
 * guest's registers and memory are.
 */
#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

/* One-byte forms that 64-bit mode took away, in their ModRM forms. */
static unsigned opcode_for_64(const struct insn *i) {
    if (i->map != MAP_PRIMARY)
        return i->opcode;
    if (i->opcode == 0x82) /* alias of 80 */
        return 0x80;
    return i->opcode;
}

static bool is_inc_dec_short(const struct insn *i) {
    return i->map == MAP_PRIMARY && i->opcode >= 0x40 && i->opcode <= 0x4f;
}

static void emit_prefixes(struct emit *e, const struct insn *i) {
    if (i->lock)
        emit_u8(e, 0xf0);
    if (i->prefix_66)
        emit_u8(e, 0x66);
    if (i->prefix_f2)
        emit_u8(e, 0xf2);
    if (i->prefix_f3)
        emit_u8(e, 0xf3);
}

static void emit_map(struct emit *e, const struct insn *i) {
    if (i->map != MAP_PRIMARY)
        emit_u8(e, 0x0f);
    if (i->map == MAP_0F38)
        emit_u8(e, 0x38);
    if (i->map == MAP_0F3A)
        emit_u8(e, 0x3a);
}

static void emit_immediate(struct emit *e, const struct insn *i) {
    for (unsigned k = 0; k < i->imm_size; k++)
        emit_u8(e, i->imm >> (8 * k) & 0xff);
}

/* ModRM.reg as a host register number. */
static int reg_field(const struct insn *i) {
    return i->reg_kind == KIND_GPR ? reg_of_gpr(i->modrm_reg) : i->modrm_reg;
}

static bool is_cmpxchg8b(const struct insn *i) {
    return i->map == MAP_0F && i->opcode == 0xc7 && i->modrm_reg == 1;
}

static void emit_with_mem(struct emit *e, const struct insn *i, const struct mop *m) {
    int reg = reg_field(i);
    unsigned rex = (reg >= 8 ? 4u : 0u) | (m->index >= 8 ? 2u : 0u) | (m->base >= 8 ? 1u : 0u);

    /* QEMU's TCG (7.2) takes the flags that CMPXCHG8B keeps from a state that it updates only at
     * branches, and leaves rubbish in all of RFLAGS: jrcxz to the next instruction. */
    if (is_cmpxchg8b(i)) {
        emit_u8(e, 0xe3);
        emit_u8(e, 0);
    }
    if (m->window)
        emit_u8(e, e->window);
    if (m->a32)
        emit_u8(e, 0x67);
    emit_prefixes(e, i);
    if (rex)
        emit_u8(e, 0x40 | rex);
    emit_map(e, i);
    emit_u8(e, opcode_for_64(i));
    emit_modrm_mem(e, reg, m);
    emit_immediate(e, i);
}

static bool needs_rex(const struct insn *i, const struct mop *m) {
    return reg_field(i) >= 8 || m->index >= 8 || m->base >= 8;
}

static void use_copy(struct translation *t, const struct insn *i, const struct mop *m,
                     unsigned aux) {
    struct emit *e = &t->e;

    (void)aux;
    if (i->reg_kind == KIND_GPR8 && i->modrm_reg >= 4 && needs_rex(i, m)) {
        /* AH..BH and a REX prefix exclude each other: lend RSI for the address */
        emit_mov64_rr(e, R10, RSI);
        if (m->window)
            emit_lea(e, RSI, *m);
        else
            emit_lea64(e, RSI, *m);
        struct mop plain = mop_base(RSI, 0);
        plain.window = m->window;
        translation_mark(t, t->eip, FIX_RSI_R10);
        emit_with_mem(e, i, &plain);
        emit_mov64_rr(e, RSI, R10);
        translation_mark(t, t->eip, FIX_NONE);
        return;
    }
    uint8_t *start = e->p;
    emit_with_mem(e, i, m);
    if (m->window && e->p - start > INSN_MAX_BYTES) {
        /* too long for a processor with our prefixes: the address by itself */
        e->p = start;
        emit_lea(e, R8, *m);
        struct mop plain = mop_base(R8, 0);
        plain.window = m->window;
        emit_with_mem(e, i, &plain);
    }
}

static void emit_registers_only(struct emit *e, const struct insn *i) {
    unsigned rex = 0;

    emit_prefixes(e, i);
    if (i->has_modrm) {
        if (i->reg_kind == KIND_GPR && i->modrm_reg == ESP)
            rex |= 4;
        if (i->rm_kind == KIND_GPR && i->modrm_rm == ESP)
            rex |= 1;
    } else if (i->opreg_kind == KIND_GPR && (i->opcode & 7) == ESP) {
        rex |= 1;
    }
    if (rex)
        emit_u8(e, 0x40 | rex);
    emit_map(e, i);
    emit_u8(e, opcode_for_64(i));
    if (i->has_modrm)
        emit_u8(e, 0xc0u | (unsigned)i->modrm_reg << 3 | i->modrm_rm);
    emit_immediate(e, i);
}

/*
 * A byte register AH..BH beside ESP (MOVZX ESP, AH): the pair cannot be encoded. Rare enough to
 * swap the halves around it. The other operand is a full register, never the byte's own.
 */
static bool byte_beside_esp(const struct insn *i) {
    bool high = (i->rm_kind == KIND_GPR8 && i->modrm_rm >= 4) ||
                (i->reg_kind == KIND_GPR8 && i->modrm_reg >= 4);
    bool esp = (i->rm_kind == KIND_GPR && i->modrm_rm == ESP) ||
               (i->reg_kind == KIND_GPR && i->modrm_reg == ESP);
    return high && esp && i->has_modrm;
}

static void emit_swap_halves(struct emit *e, unsigned low) {
    emit_u8(e, 0x86); /* xchg low, high */
    emit_u8(e, 0xc0u | (low + 4) << 3 | low);
}

void lower_copy(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;

    if (i->mem.present) {
        operand_access_mem(t, i, use_copy, 0);
        return;
    }
    if (is_inc_dec_short(i)) {
        emit_op_reg(e, i->opsize == 2 ? OP_16 : 0, 0xff, i->opcode >= 0x48,
                    reg_of_gpr(i->opcode & 7));
        return;
    }
    if (byte_beside_esp(i)) {
        struct insn low = *i;
        unsigned high = i->rm_kind == KIND_GPR8 ? i->modrm_rm : i->modrm_reg;
        if (i->rm_kind == KIND_GPR8)
            low.modrm_rm = (uint8_t)(high - 4);
        else
            low.modrm_reg = (uint8_t)(high - 4);
        emit_swap_halves(e, high - 4);
        emit_registers_only(e, &low);
        emit_swap_halves(e, high - 4);
        return;
    }
    emit_registers_only(e, i);
}

void lower_divide(struct translation *t, const struct insn *i) {
    if (hint_get(t->bt, HINT_DIVIDE(translation_gla(t))))
        exit_callout(t, callout_divide, lower_callout_arg(t, i));
    lower_copy(t, i);
}

void lower_nop(struct translation *t, const struct insn *i) {
    (void)t;
    (void)i;
}
