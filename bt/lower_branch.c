/*
 * Near control transfers. Every backward branch polls for interrupts first (exits.c); indirect ones
 * do by their jump-cache load. Intel SDM vol. 1 section 6.4.
 */
#include <Zydis/Mnemonic.h>

#include "bt/lower.h"
#include "bt/translation.h"
#include "mmu/mmu.h"

static uint32_t relative_target(const struct translation *t, const struct insn *i) {
    uint32_t target = t->next_eip + i->imm;

    return i->opsize == 2 ? target & 0xffff : target;
}

/* A code segment with a limit: the target has to be checked before anything changes. */
static bool target_needs_check(const struct translation *t) {
    return t->block->cs_limit != UINT32_MAX;
}

/* #GP(0) unless the offset in R8 is within the code segment (SDM vol. 2, JMP). */
static void emit_target_check(struct translation *t) {
    if (!target_needs_check(t))
        return;
    emit_mov_ri(&t->e, R9, SEGMENT_CODE_TARGET);
    emit_mov_ri(&t->e, R10, t->eip);
    emit_patch32(emit_call(&t->e), bt_rw(t->bt, t->bt->thunk_segment));
}

/* The same for a direct target. False: it is beyond, the fault has been emitted. */
static bool direct_target_ok(struct translation *t, uint32_t target) {
    if (target <= t->block->cs_limit)
        return true;
    exit_callout(t, callout_gp, 0);
    return false;
}

/* Before a near transfer. Right behind STI the interrupts that it lets in come behind the transfer,
 * wherever that goes: the run loop sees to it. Else they are looked for where code may loop. */
static void poll(struct translation *t, bool may_loop) {
    if (t->poll_in)
        exit_poll_in_shadow(t);
    else if (may_loop && !(t->has_polled && t->polled == t->eip))
        exit_poll(t);
}

static void poll_direct(struct translation *t, uint32_t target) {
    poll(t, target <= t->eip);
}

static void emit_goto(struct translation *t, uint32_t target) {
    exit_direct(t, target, emit_jmp(&t->e));
    t->ended = true;
}

/* A branch that is not taken. */
static void fall_through(struct translation *t) {
    if (!t->extends)
        emit_goto(t, t->next_eip);
}

/* Loads an r/m operand (a near branch target) into R8, zero-extended. */
static void load_target(struct translation *t, const struct insn *i) {
    unsigned size = i->stack_size;

    if (i->mem.present) {
        struct ea a = ea_of(t, i);
        load_value(t, i, &a, i->mem.seg, size, R8);
    } else if (size == 4) {
        emit_mov_rr(&t->e, R8, reg_of_gpr(i->modrm_rm));
    } else {
        emit_op_reg(&t->e, 0, 0x0fb7, R8, reg_of_gpr(i->modrm_rm));
    }
}

/* FF /3, FF /5 and the direct far forms go to the VMM. */
static bool lower_far(struct translation *t, const struct insn *i, callout_fn fn) {
    if (i->far_ptr) {
        emit_store_imm(&t->e, MOP_VCPU(val), i->imm2 & 0xffff);
        exit_callout(t, fn, (uint64_t)i->imm << 32 | (uint64_t)i->opsize << 12);
    } else if (i->map == MAP_PRIMARY && i->opcode == 0xff && (i->modrm_reg & 1) && i->mem.present) {
        exit_callout(t, fn, lower_callout_arg(t, i));
    } else {
        return false;
    }
    t->ended = true;
    return true;
}

void lower_jmp(struct translation *t, const struct insn *i) {
    if (lower_far(t, i, callout_jmp_far))
        return;
    if (i->relative) {
        uint32_t target = relative_target(t, i);
        poll_direct(t, target);
        if (direct_target_ok(t, target))
            emit_goto(t, target);
        t->ended = true;
        return;
    }
    poll(t, false);
    load_target(t, i);
    emit_target_check(t);
    exit_indirect(t);
}

void lower_jcc(struct translation *t, const struct insn *i) {
    uint32_t target = relative_target(t, i);

    poll_direct(t, target);
    if (target > t->block->cs_limit) {
        uint8_t *not_taken = emit_jcc(&t->e, (i->opcode & 15) ^ 1);
        exit_callout(t, callout_gp, 0);
        emit_bind(&t->e, not_taken);
    } else {
        exit_direct(t, target, emit_jcc(&t->e, i->opcode & 15));
    }
    fall_through(t);
}

/* LOOP, LOOPE, LOOPNE, JCXZ, JECXZ: the count decrements without touching flags. */
void lower_loop(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;
    uint32_t target = relative_target(t, i);
    bool count16 = i->mem.adsize == 2;
    uint8_t *skip = 0;

    poll_direct(t, target);
    if (i->mnemonic == ZYDIS_MNEMONIC_JCXZ || i->mnemonic == ZYDIS_MNEMONIC_JECXZ) {
        /* RCX is zero-extended; CX alone is tested in R9's place */
        if (count16) {
            emit_mov64_rr(e, R9, RCX);
            emit_op_reg(e, 0, 0x0fb7, RCX, RCX);
        }
        uint8_t *zero = emit_short(e, 0xe3);
        if (count16)
            emit_mov64_rr(e, RCX, R9);
        uint8_t *not_taken = emit_jmp(e);
        emit_bind_short(e, zero);
        if (count16)
            emit_mov64_rr(e, RCX, R9);
        exit_direct(t, target, emit_jmp(e));
        exit_direct(t, t->next_eip, not_taken);
        t->ended = true;
        return;
    }
    if (count16) {
        emit_lea(e, R9, mop_base(RCX, -1));
        emit_op_reg(e, OP_16, 0x89, R9, RCX);
        emit_mov64_rr(e, R9, RCX);
        emit_op_reg(e, 0, 0x0fb7, RCX, RCX);
    } else {
        emit_lea(e, RCX, mop_base(RCX, -1));
    }
    uint8_t *zero = emit_short(e, 0xe3);
    if (count16)
        emit_mov64_rr(e, RCX, R9);
    if (i->mnemonic == ZYDIS_MNEMONIC_LOOPE)
        skip = emit_jcc(e, CC_NE);
    else if (i->mnemonic == ZYDIS_MNEMONIC_LOOPNE)
        skip = emit_jcc(e, CC_E);
    exit_direct(t, target, emit_jmp(e));
    emit_bind_short(e, zero);
    if (count16)
        emit_mov64_rr(e, RCX, R9);
    if (skip)
        emit_bind(e, skip);
    fall_through(t);
}

void lower_call(struct translation *t, const struct insn *i) {
    if (lower_far(t, i, callout_call_far))
        return;
    t->incomplete = !i->relative || relative_target(t, i) != t->next_eip;
    if (i->relative) {
        uint32_t target = relative_target(t, i);
        poll_direct(t, target);
        if (direct_target_ok(t, target)) {
            lower_push_return(t, i, i->stack_size);
            if (target == t->next_eip)
                fall_through(t); /* it asks for EIP; no RET comes */
            else
                exit_call_direct(t, target);
        } else {
            t->ended = true;
        }
        return;
    }
    poll(t, false);
    load_target(t, i);
    emit_target_check(t);
    emit_store(&t->e, MOP_VCPU(target), R8);
    lower_push_return(t, i, i->stack_size);
    emit_load(&t->e, R8, MOP_VCPU(target));
    exit_call_indirect(t);
}

/* aux: size | bytes to release << 4. The return address goes to R8. */
static void use_ret(struct translation *t, const struct insn *i, const struct mop *m,
                    unsigned aux) {
    int32_t delta = (int32_t)((aux & 15) + (aux >> 4));

    ((aux & 15) == 4 ? use_load32 : use_load16)(t, i, m, R8);
    emit_target_check(t);
    if (t->key & KEY_STACK32) {
        emit_lea(&t->e, REG_GUEST_ESP, mop_base(REG_GUEST_ESP, t->esp_delta + delta));
        t->esp_delta = 0;
    } else {
        emit_lea(&t->e, R9, mop_base(REG_GUEST_ESP, delta));
        emit_op_reg(&t->e, OP_16, 0x89, R9, REG_GUEST_ESP);
    }
}

void lower_ret(struct translation *t, const struct insn *i) {
    if (i->opcode == 0xca || i->opcode == 0xcb) {
        uint64_t bytes = i->opcode == 0xca ? i->imm & 0xffff : 0;
        exit_callout(t, callout_ret_far, bytes << 32 | (uint64_t)i->opsize << 12);
        t->ended = true;
        return;
    }
    poll(t, false);
    struct ea top = ea_reg(t, REG_GUEST_ESP, 0, t->key & KEY_STACK32 ? 4 : 2);
    unsigned release = i->opcode == 0xc2 ? i->imm & 0xffff : 0;

    operand_access(t, i, &top, SEG_SS, i->stack_size, MMU_R, use_ret, i->stack_size | release << 4);
    exit_return(t);
}
