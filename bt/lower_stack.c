/*
 * PUSH, POP, LEAVE, PUSHF. ESP changes only once the access has succeeded. With a 16-bit stack
 * (SS.B clear) SP wraps and the upper half of ESP stays. Intel SDM vol. 1 section 6.2.
 */
#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

static unsigned stack_adsize(const struct translation *t) {
    return t->key & KEY_STACK32 ? 4 : 2;
}

/* ESP += delta, flags untouched. */
static void emit_adjust_esp(struct translation *t, int32_t delta) {
    struct emit *e = &t->e;

    if (t->lags) {
        t->esp_delta += delta;
    } else if (t->key & KEY_STACK32) {
        emit_lea(e, REG_GUEST_ESP, mop_base(REG_GUEST_ESP, delta));
    } else {
        emit_lea(e, R9, mop_base(REG_GUEST_ESP, delta));
        emit_op_reg(e, OP_16, 0x89, R9, REG_GUEST_ESP); /* mov r12w, r9w */
    }
}

enum { PUSH_REG, PUSH_IMM, PUSH_RETURN, PUSH_SCRATCH };

#define PUSH_AUX(kind, size, reg) ((unsigned)(kind) << 8 | (unsigned)(size) << 4 | (unsigned)(reg))

static void use_push(struct translation *t, const struct insn *i, const struct mop *m,
                     unsigned aux) {
    unsigned kind = aux >> 8, size = aux >> 4 & 15, op16 = size == 2 ? OP_16 : 0;

    if (kind == PUSH_SCRATCH) {
        use_store_scratch(t, i, m, size);
    } else if (kind == PUSH_REG) {
        emit_op_mem(&t->e, op16, 0x89, (int)(aux & 15), m);
    } else {
        uint32_t imm = kind == PUSH_RETURN ? t->next_eip : i->imm;
        emit_op_mem(&t->e, op16, 0xc7, 0, m);
        if (size == 2) {
            emit_u8(&t->e, imm & 0xff);
            emit_u8(&t->e, imm >> 8 & 0xff);
        } else {
            emit_u32(&t->e, imm);
        }
    }
    emit_adjust_esp(t, -(int32_t)size);
}

static void push(struct translation *t, const struct insn *i, unsigned kind, unsigned size,
                 int reg) {
    struct ea a = ea_reg(t, REG_GUEST_ESP, -(int32_t)size, stack_adsize(t));

    operand_access(t, i, &a, SEG_SS, size, MMU_W, use_push, PUSH_AUX(kind, size, reg));
}

void lower_push_reg(struct translation *t, const struct insn *i, int src, unsigned size) {
    push(t, i, PUSH_REG, size, src);
}

void lower_push_scratch(struct translation *t, const struct insn *i, unsigned size) {
    push(t, i, PUSH_SCRATCH, size, 0);
}

void lower_push_return(struct translation *t, const struct insn *i, unsigned size) {
    push(t, i, PUSH_RETURN, size, 0);
}

void lower_push(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;
    unsigned size = i->stack_size;

    if (i->mem.present) {
        struct ea a = ea_of(t, i);
        bool plain = operand_is_plain(t, SEG_SS, MMU_W);
        load_value(t, i, &a, i->mem.seg, size, plain ? R11 : R8);
        if (plain) {
            lower_push_reg(t, i, R11, size);
        } else {
            emit_store(e, MOP_VCPU(scratch), R8);
            lower_push_scratch(t, i, size);
        }
    } else if (i->map == MAP_PRIMARY && i->opcode >= 0x50 && i->opcode <= 0x57) {
        lower_push_reg(t, i, reg_of_gpr(i->opcode & 7), size);
    } else if (i->map == MAP_PRIMARY && i->opcode == 0xff) {
        lower_push_reg(t, i, reg_of_gpr(i->modrm_rm), size);
    } else if (i->map == MAP_PRIMARY && (i->opcode == 0x68 || i->opcode == 0x6a)) {
        push(t, i, PUSH_IMM, size, 0);
    } else {
        unsigned sreg = i->opcode >> 3 & 7; /* 06 0E 16 1E, 0F A0, 0F A8 */
        struct mop sel =
            mop_base(REG_VCPU, (int32_t)(offsetof(struct vcpu, seg) + sizeof(struct seg) * sreg +
                                         offsetof(struct seg, sel)));
        emit_op_mem(e, 0, 0x0fb7, R8, &sel);
        emit_store(e, MOP_VCPU(scratch), R8);
        lower_push_scratch(t, i, size);
    }
}

/* Loads the top of stack into a host register and moves ESP. aux: register | size << 4. */
static void use_pop(struct translation *t, const struct insn *i, const struct mop *m,
                    unsigned aux) {
    int dst = (int)(aux & 15);
    unsigned size = aux >> 4;

    if (dst == REG_GUEST_ESP) {
        /* POP ESP: the value wins over the increment; POP SP replaces the low half after it */
        (size == 4 ? use_load32 : use_load16)(t, i, m, R9);
        if (size == 4) {
            emit_mov_rr(&t->e, REG_GUEST_ESP, R9);
        } else {
            emit_mov_rr(&t->e, R10, R9);
            emit_adjust_esp(t, 2);
            emit_op_reg(&t->e, OP_16, 0x89, R10, REG_GUEST_ESP);
        }
        return;
    }
    if (size == 4)
        use_load32(t, i, m, (unsigned)dst);
    else
        emit_op_mem(&t->e, OP_16, 0x8b, dst, m);
    emit_adjust_esp(t, (int32_t)size);
}

/* POP m: aux is the size; the store first, ESP after it. */
static void use_pop_store(struct translation *t, const struct insn *i, const struct mop *m,
                          unsigned aux) {
    use_store_scratch(t, i, m, aux);
    emit_adjust_esp(t, (int32_t)aux);
}

void lower_pop(struct translation *t, const struct insn *i) {
    unsigned size = i->stack_size;
    struct ea top = ea_reg(t, REG_GUEST_ESP, 0, stack_adsize(t));

    if (i->mem.present) {
        struct ea a = ea_of(t, i);
        load_value(t, i, &top, SEG_SS, size, R8);
        emit_store(&t->e, MOP_VCPU(scratch), R8);
        if (a.base == REG_GUEST_ESP) /* addressed with the incremented ESP */
            a.disp = (int32_t)((uint32_t)a.disp + size);
        operand_access(t, i, &a, i->mem.seg, size, MMU_W, use_pop_store, size);
        return;
    }
    if (i->map == MAP_PRIMARY && ((i->opcode >= 0x58 && i->opcode <= 0x5f) || i->opcode == 0x8f)) {
        unsigned gpr = i->opcode == 0x8f ? i->modrm_rm : i->opcode & 7u;
        operand_access(t, i, &top, SEG_SS, size, MMU_R, use_pop,
                       (unsigned)reg_of_gpr(gpr) | size << 4);
        return;
    }
    lower_pop_sreg(t, i);
}

/* aux: operand size. The old EBP's value comes from [EBP]; ESP = EBP + size. */
static void use_leave(struct translation *t, const struct insn *i, const struct mop *m,
                      unsigned aux) {
    struct emit *e = &t->e;

    (aux == 4 ? use_load32 : use_load16)(t, i, m, R9);
    if (t->key & KEY_STACK32) {
        emit_lea(e, REG_GUEST_ESP, mop_base(RBP, (int32_t)aux));
    } else {
        emit_lea(e, R10, mop_base(RBP, (int32_t)aux));
        emit_op_reg(e, OP_16, 0x89, R10, REG_GUEST_ESP);
    }
    if (aux == 4)
        emit_mov_rr(e, RBP, R9);
    else
        emit_op_reg(e, OP_16, 0x89, R9, RBP);
}

void lower_leave(struct translation *t, const struct insn *i) {
    struct ea a = ea_reg(t, RBP, 0, stack_adsize(t));

    operand_access(t, i, &a, SEG_SS, i->stack_size, MMU_R, use_leave, i->stack_size);
}

/*
 * PUSHF: live flags + pushf_fixed (system flags, less what is constant in the host's) + IF.
 * In virtual-8086 mode IOPL decides: the VMM does it.
 */
void lower_pushf(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;

    if (t->key & KEY_REAL) {
        exit_callout(t, callout_pushf, lower_callout_arg(t, i));
        return;
    }
    emit_u8(e, 0x9c); /* pushfq */
    emit_pop(e, R8);
    emit_load(e, R9, MOP_VCPU(pushf_fixed));
    emit_lea(e, R8, (struct mop){.base = R8, .index = R9});
    emit_load(e, R9, MOP_VCPU(ifl));
    emit_lea(e, R8, (struct mop){.base = R8, .index = R9});
    emit_store(e, MOP_VCPU(scratch), R8);
    lower_push_scratch(t, i, i->stack_size);
}

/*
 * POPF at CPL 0 that changes no system flag but IF: in line. The old flags are dead from the start.
 * Interrupts that IF lets through are taken behind it, as on a CPU: POPF has no shadow.
 */
void lower_popf(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;
    struct ea top = ea_reg(t, REG_GUEST_ESP, 0, stack_adsize(t));
    uint8_t *slow, *done;

    if ((t->key & (KEY_CPL | KEY_REAL | KEY_SINGLE)) != 0 || i->stack_size != 4) {
        exit_callout(t, callout_popf, lower_callout_arg(t, i));
        return;
    }
    load_value(t, i, &top, SEG_SS, 4, R8);
    emit_load(e, R9, MOP_VCPU(sysflags));
    emit_op_reg(e, 0, 0x31, R8, R9); /* xor r9d, r8d */
    emit_op_reg(e, 0, 0xf7, 0, R9);  /* test r9d, imm32 */
    emit_u32(e, EFL_TF | EFL_IOPL | EFL_NT | EFL_AC | EFL_ID);
    slow = emit_jcc(e, CC_NE);
    emit_adjust_esp(t, 4);
    emit_mov_rr(e, R9, R8);
    emit_op_reg(e, 0, 0x81, 4, R9); /* and r9d, IF */
    emit_u32(e, EFL_IF);
    emit_store(e, MOP_VCPU(ifl), R9);
    uint8_t *masked = emit_short(e, 0x74); /* je */
    emit_load64(e, REG_JUMP_CACHE, MOP_VCPU(jc_sti));
    emit_bind_short(e, masked);
    emit_flags_set(e, R8);
    done = emit_jmp(e);
    emit_bind(e, slow);
    exit_callout(t, callout_popf, lower_callout_arg(t, i));
    emit_bind(e, done);
    translation_mark(t, t->next_eip, FIX_NONE);
    exit_poll_sti(t, t->next_eip);
}
