/*
 * BT, BTS, BTR, BTC with a register index and a memory operand. The index reaches beyond the
 * operand, 256 MiB either way, which must neither leave the window nor escape segment checks: the
 * word that holds the bit is addressed first. Intel SDM vol. 2A, BT; vol. 1 section 3.1.1.3 (bit
 * strings).
 */
#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

/* 0F A3/AB/B3/BB [m], scratch; aux unused. */
static void use_bit(struct translation *t, const struct insn *i, const struct mop *m,
                    unsigned aux) {
    (void)aux;
    emit_load(&t->e, R10, MOP_VCPU(scratch));
    emit_op_mem(&t->e, (i->opsize == 2 ? OP_16 : 0) | (i->lock ? OP_LOCK : 0), 0x0f00u | i->opcode,
                R10, m);
}

void lower_bit(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;
    struct ea a = ea_of(t, i), word;
    int index = reg_of_gpr(i->modrm_reg);
    bool wide = i->opsize == 4;
    unsigned access = MMU_R | (i->mem.write ? MMU_W : 0u);

    if (!i->mem.present || i->reg_kind != KIND_GPR) {
        lower_copy(t, i);
        return;
    }
    ea_emit(t, &a, R8);
    emit_flags_save(e);
    if (index == RAX)
        index = R11; /* AX holds the flags */
    if (wide)
        emit_mov_rr(e, R9, index);
    else
        emit_op_reg(e, 0, 0x0fbf, R9, index); /* movsx r9d, r16 */
    emit_mov_rr(e, R10, R9);
    emit_op_reg(e, 0, 0xc1, 7, R9); /* sar r9d, 5 or 4 */
    emit_u8(e, wide ? 5 : 4);
    emit_op_reg(e, 0, 0x83, 4, R10); /* and r10d, 31 or 15 */
    emit_u8(e, wide ? 31 : 15);
    emit_store(e, MOP_VCPU(scratch), R10);
    emit_lea(e, R8, (struct mop){.base = R8, .index = R9, .scale = wide ? 2 : 1});
    emit_flags_restore(e);
    word = ea_reg(t, R8, 0, a.adsize);
    operand_access(t, i, &word, i->mem.seg, i->opsize, access, use_bit, 0);
}
