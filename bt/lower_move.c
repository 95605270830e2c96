/*
 * MOV in its odd forms (control and debug registers, moffs; segment registers: lower_segment.c),
 * LEA, XLAT, SALC, MASKMOV, CLFLUSH. Intel SDM vol. 2.
 */
#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

static void use_accumulator_load(struct translation *t, const struct insn *i, const struct mop *m,
                                 unsigned aux) {
    (void)i;
    emit_op_mem(&t->e, aux == 2 ? OP_16 : 0, aux == 1 ? 0x8a : 0x8b, RAX, m);
}

static void use_accumulator_store(struct translation *t, const struct insn *i, const struct mop *m,
                                  unsigned aux) {
    (void)i;
    emit_op_mem(&t->e, aux == 2 ? OP_16 : 0, aux == 1 ? 0x88 : 0x89, RAX, m);
}

/* A0-A3: in 64-bit mode their address would be eight bytes. */
static void lower_moffs(struct translation *t, const struct insn *i) {
    operand_access_mem(t, i, i->opcode < 0xa2 ? use_accumulator_load : use_accumulator_store,
                       i->mem.size);
}

void lower_mov(struct translation *t, const struct insn *i) {
    unsigned arg = i->modrm_reg | (unsigned)i->modrm_rm << 4;

    if (i->map == MAP_PRIMARY && i->opcode >= 0xa0 && i->opcode <= 0xa3)
        lower_moffs(t, i);
    else if (i->map == MAP_PRIMARY && i->opcode == 0x8c)
        lower_mov_from_sreg(t, i);
    else if (i->map == MAP_PRIMARY && i->opcode == 0x8e)
        lower_mov_to_sreg(t, i);
    else if (i->map == MAP_0F && i->opcode == 0x20)
        exit_callout(t, callout_mov_from_cr, arg);
    else if (i->map == MAP_0F && i->opcode == 0x21)
        exit_callout(t, callout_mov_from_dr, arg);
    else if (i->map == MAP_0F && i->opcode == 0x22)
        exit_callout(t, callout_mov_to_cr, arg);
    else if (i->map == MAP_0F && i->opcode == 0x23)
        exit_callout(t, callout_mov_to_dr, arg);
    else
        lower_copy(t, i);
}

void lower_lea(struct translation *t, const struct insn *i) {
    struct ea a = ea_of(t, i);
    int dst = reg_of_gpr(i->modrm_reg);

    if (i->opsize == 4) {
        ea_emit(t, &a, dst);
        return;
    }
    ea_emit(t, &a, R8);
    emit_op_reg(&t->e, OP_16, 0x89, R8, dst);
}

static void use_load_al(struct translation *t, const struct insn *i, const struct mop *m,
                        unsigned aux) {
    (void)i;
    (void)aux;
    emit_op_mem(&t->e, 0, 0x8a, RAX, m);
}

/* XLAT: AL = [EBX + AL] */
void lower_xlat(struct translation *t, const struct insn *i) {
    struct ea a = {.base = R8, .index = REG_NONE, .adsize = i->mem.adsize};

    emit_op_reg(&t->e, 0, 0x0fb6, R8, RAX);
    emit_lea(&t->e, R8, (struct mop){.base = RBX, .index = R8});
    operand_access(t, i, &a, i->mem.seg, 1, MMU_R, use_load_al, 0);
}

/* SALC: AL = CF ? FFh : 0, flags unchanged. SBB AL, AL would change them. */
void lower_salc(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;

    (void)i;
    emit_u8(e, 0xb0); /* mov al, 0 */
    emit_u8(e, 0);
    uint8_t *done = emit_short(e, 0x73); /* jnc */
    emit_u8(e, 0xb0);
    emit_u8(e, 0xff);
    emit_bind_short(e, done);
}

/* The store goes to [(E)DI] with no way to name another register: lend RDI for the pointer. */
static void use_maskmov(struct translation *t, const struct insn *i, const struct mop *m,
                        unsigned aux) {
    struct emit *e = &t->e;
    unsigned modrm = 0xc0u | (unsigned)i->modrm_reg << 3 | i->modrm_rm;

    if (m->window) {
        /* direct: the default segment DS can be overridden, the address size too */
        emit_u8(e, e->window);
        emit_u8(e, 0x67);
    } else {
        emit_mov64_rr(e, R10, RDI);
        emit_lea64(e, RDI, *m);
    }
    if (aux == 16)
        emit_u8(e, 0x66);
    emit_u8(e, 0x0f);
    emit_u8(e, 0xf7);
    emit_u8(e, modrm);
    if (!m->window)
        emit_mov64_rr(e, RDI, R10);
}

void lower_maskmov(struct translation *t, const struct insn *i) {
    struct ea a = ea_reg(t, RDI, 0, i->mem.adsize);
    unsigned size = i->prefix_66 ? 16 : 8;

    /* only the plain case may go direct; every other takes a pointer */
    if (i->mem.seg >= SEG_FS || !(t->key & KEY_FLAT(i->mem.seg)) || i->mem.adsize != 4)
        t->checked = true;
    operand_access(t, i, &a, i->mem.seg, size, MMU_R | MMU_W, use_maskmov, size);
}

/* CLFLUSH: the caches are coherent; only the operand's faults remain. */
void lower_clflush(struct translation *t, const struct insn *i) {
    struct ea a = ea_of(t, i);

    operand_access(t, i, &a, i->mem.seg, 1, MMU_R, use_load8, R8);
}
