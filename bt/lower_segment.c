/*
 * Loads of segment registers (MOV Sreg, POP Sreg; Intel SDM vol. 2B), and their reads.
 *
 * Kernels reload ES, DS and FS at every entry and exit, with selectors they have loaded before. At
 * CPL 0 in direct form a load whose selector is that of the register's entry in v->recall_load (see
 * vmm/recall.h) reads the descriptor through the window and, if it is the entry's, takes the hidden
 * part from there; FS and GS become null in line, too. Everything else is a callout. A descriptor
 * that cannot be read faults as the manual says. No flag is touched: sums and JRCXZ compare.
 *
 * ES and DS are part of the key: entries of theirs are flat segments, and only translations for
 * flat ones use them.
 */
#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

enum { BRANCHES = 2 };

static struct mop seg_field(unsigned sreg, size_t at) {
    return mop_base(REG_VCPU,
                    (int32_t)(offsetof(struct vcpu, seg) + sizeof(struct seg) * sreg + at));
}

static struct mop recall_field(unsigned sreg, size_t at) {
    return mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, recall_load) +
                                        sizeof(struct recall_load) * sreg + at));
}

static struct mop base_field(unsigned sreg) {
    return mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, seg_base) + sizeof(uint32_t) * sreg));
}

static struct mop fs_gs_field(unsigned sreg) {
    return mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, fs_gs_base) +
                                        sizeof(uint64_t) * (sreg - SEG_FS)));
}

/* mov [to], [from], 4 or 8 bytes */
static void emit_copy(struct emit *e, struct mop to, struct mop from, unsigned bytes) {
    (bytes == 8 ? emit_load64 : emit_load)(e, R10, from);
    (bytes == 8 ? emit_store64 : emit_store)(e, to, R10);
}

static bool may_recall(const struct translation *t, unsigned sreg) {
    if (t->checked || (t->key & (KEY_CPL | KEY_REAL | KEY_SINGLE | KEY_WATCH)) != 0)
        return false;
    return sreg >= SEG_FS || (sreg != SEG_SS && (t->key & KEY_FLAT(sreg)));
}

/* FS or GS becomes null. */
static void emit_load_null(struct emit *e, unsigned sreg) {
    emit_store_imm(e, seg_field(sreg, offsetof(struct seg, sel)), 0); /* and attr */
    emit_store_imm(e, seg_field(sreg, offsetof(struct seg, base)), 0);
    emit_store_imm(e, seg_field(sreg, offsetof(struct seg, limit)), 0);
    emit_store_imm(e, base_field(sreg), 0);
    emit_copy(e, fs_gs_field(sreg), MOP_VCPU(seg_poison), 8);
}

static void emit_load_recalled(struct emit *e, unsigned sreg) {
    size_t seg = offsetof(struct recall_load, seg);

    emit_copy(e, seg_field(sreg, 0), recall_field(sreg, seg), 8);
    emit_copy(e, seg_field(sreg, 8), recall_field(sreg, seg + 8), 4);
    if (sreg < SEG_FS)
        return; /* base 0, as before */
    emit_copy(e, base_field(sreg), recall_field(sreg, offsetof(struct recall_load, base)), 4);
    emit_copy(e, fs_gs_field(sreg), recall_field(sreg, offsetof(struct recall_load, fs_gs_base)),
              8);
}

/* The load of the selector in R8. Goes to *slow[] with nothing changed where it must be done
 * otherwise. */
static void emit_recall(struct translation *t, unsigned sreg, uint8_t *slow[BRANCHES]) {
    struct emit *e = &t->e;
    struct mop descriptor = {.base = R10, .index = REG_NONE, .window = true, .a32 = true};
    uint8_t *null = NULL, *null_done = NULL, *same;

    emit_mov64_rr(e, R9, RCX);
    if (sreg >= SEG_FS) {
        emit_mov_rr(e, RCX, R8);
        null = emit_short(e, 0xe3); /* jrcxz */
    }
    emit_load(e, RCX, recall_field(sreg, offsetof(struct recall_load, minus_sel)));
    emit_lea(e, RCX, (struct mop){.base = RCX, .index = R8});
    same = emit_short(e, 0xe3);
    emit_mov64_rr(e, RCX, R9);
    slow[0] = emit_jmp(e);
    if (null) {
        emit_bind_short(e, null);
        emit_mov64_rr(e, RCX, R9);
        emit_load_null(e, sreg);
        null_done = emit_jmp(e);
    }
    emit_bind_short(e, same);
    emit_mov64_rr(e, RCX, R9); /* the next access may fault */
    emit_load(e, R10, recall_field(sreg, offsetof(struct recall_load, desc)));
    emit_load64(e, R10, descriptor);
    emit_load64(e, RCX, recall_field(sreg, offsetof(struct recall_load, minus_desc)));
    emit_lea64(e, RCX, (struct mop){.base = RCX, .index = R10});
    same = emit_short(e, 0xe3);
    emit_mov64_rr(e, RCX, R9);
    slow[1] = emit_jmp(e);
    emit_bind_short(e, same);
    emit_mov64_rr(e, RCX, R9);
    emit_load_recalled(e, sreg);
    if (null_done)
        emit_bind(e, null_done);
}

/* The callout that the branches lead to, and the way around it. */
static void emit_otherwise(struct translation *t, uint8_t *slow[BRANCHES], callout_fn fn,
                           uint64_t arg) {
    uint8_t *done = emit_jmp(&t->e);

    for (unsigned k = 0; k < BRANCHES; k++)
        emit_bind(&t->e, slow[k]);
    exit_callout(t, fn, arg);
    emit_bind(&t->e, done);
}

void lower_mov_to_sreg(struct translation *t, const struct insn *i) {
    unsigned sreg = i->modrm_reg;
    uint8_t *slow[BRANCHES];

    if (sreg == SEG_CS) {
        exit_callout(t, callout_ud, 0);
        t->ended = true;
        return;
    }
    if (i->mem.present) {
        struct ea a = ea_of(t, i);
        load_value(t, i, &a, i->mem.seg, 2, R8);
    } else {
        emit_op_reg(&t->e, 0, 0x0fb7, R8, reg_of_gpr(i->modrm_rm));
    }
    emit_store(&t->e, MOP_VCPU(val), R8);
    if (!may_recall(t, sreg)) {
        exit_callout(t, callout_mov_to_sreg, sreg);
        return;
    }
    emit_recall(t, sreg, slow);
    emit_otherwise(t, slow, callout_mov_to_sreg, sreg);
}

void lower_pop_sreg(struct translation *t, const struct insn *i) {
    unsigned sreg = i->opcode >> 3 & 7, size = i->stack_size;
    uint64_t arg = sreg | (uint64_t)size << 12;
    struct ea top = ea_reg(t, REG_GUEST_ESP, 0, 4);
    uint8_t *slow[BRANCHES];

    if (!may_recall(t, sreg) || !(t->key & KEY_STACK32)) {
        exit_callout(t, callout_pop_sreg, arg);
        return;
    }
    load_value(t, i, &top, SEG_SS, size, R8);
    emit_op_reg(&t->e, 0, 0x0fb7, R8, R8);
    emit_recall(t, sreg, slow);
    emit_lea(&t->e, REG_GUEST_ESP, mop_base(REG_GUEST_ESP, (int32_t)size));
    emit_otherwise(t, slow, callout_pop_sreg, arg);
}

/* MOV r/m, Sreg: 16 bits to memory; a 32-bit register is zero-extended. */
void lower_mov_from_sreg(struct translation *t, const struct insn *i) {
    struct mop sel = seg_field(i->modrm_reg, offsetof(struct seg, sel));

    if (i->mem.present) {
        struct ea a = ea_of(t, i);
        emit_op_mem(&t->e, 0, 0x0fb7, R8, &sel);
        emit_store(&t->e, MOP_VCPU(scratch), R8);
        operand_access(t, i, &a, i->mem.seg, 2, MMU_W, use_store_scratch, 2);
        return;
    }
    int dst = reg_of_gpr(i->modrm_rm);
    if (i->opsize == 2)
        emit_op_mem(&t->e, OP_16, 0x8b, dst, &sel);
    else
        emit_op_mem(&t->e, 0, 0x0fb7, dst, &sel);
}
