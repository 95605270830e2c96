/*
 * AAA, AAS, DAA, DAS, AAM, AAD (Intel SDM vol. 2A).
 *
 * The flags that the manual leaves undefined are those of the addition or subtraction inside, as
 * current CPUs give them: of AX for AAA and AAS, of AL for the others.
 */
#include "vmm/callout_priv.h"

struct result {
    uint32_t value;
    uint32_t flags; /* CF, AF and OF as ADD or SUB of the width gives them, and SF, ZF, PF */
};

/* SF, ZF, PF of a result of `width` bits. */
static uint32_t sign_zero_parity(uint32_t value, unsigned width) {
    uint32_t flags = 0;

    if (!__builtin_parity(value & 0xffu))
        flags |= EFL_PF;
    if (value == 0)
        flags |= EFL_ZF;
    if (value >> (width - 1) & 1u)
        flags |= EFL_SF;
    return flags;
}

static struct result arithmetic(uint32_t a, uint32_t b, bool subtract, unsigned width) {
    uint32_t mask = (1u << width) - 1;
    struct result r = {(subtract ? a - b : a + b) & mask, 0};
    uint32_t overflow = subtract ? (a ^ b) & (a ^ r.value) : (a ^ r.value) & (b ^ r.value);

    r.flags = sign_zero_parity(r.value, width);
    if (subtract ? a < b : r.value < a)
        r.flags |= EFL_CF;
    if ((a ^ b ^ r.value) & 0x10u)
        r.flags |= EFL_AF;
    if (overflow >> (width - 1) & 1u)
        r.flags |= EFL_OF;
    return r;
}

static void set_arith(struct vcpu *v, uint32_t flags) {
    v->flags = (v->flags & ~EFL_ARITH) | flags;
}

static bool low_digit_bad(const struct vcpu *v) {
    return (v->gpr[EAX] & 0xfu) > 9 || (v->flags & EFL_AF);
}

/* -- unpacked digits -- */

/* 6 to AL and 1 to AH, as one number. */
static enum callout_result adjust_unpacked(struct vcpu *v, bool subtract) {
    bool adjust = low_digit_bad(v);
    struct result r = arithmetic(v->gpr[EAX] & 0xffffu, adjust ? 0x106 : 0, subtract, 16);

    callout_set_reg(v, EAX, r.value & 0xff0fu, 2);
    set_arith(v, (r.flags & ~(EFL_CF | EFL_AF)) | (adjust ? EFL_CF | EFL_AF : 0));
    return CALLOUT_NEXT;
}

enum callout_result callout_aaa(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return adjust_unpacked(v, false);
}

enum callout_result callout_aas(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return adjust_unpacked(v, true);
}

enum callout_result callout_aam(struct vcpu *v, uint64_t arg) {
    uint32_t al = v->gpr[EAX] & 0xffu;
    uint32_t base = CO_IMM(arg) & 0xffu;

    if (base == 0)
        return callout_raise(v, VEC_DE);
    callout_set_reg(v, EAX, (al / base) << 8 | al % base, 2);
    set_arith(v, sign_zero_parity(al % base, 8));
    return CALLOUT_NEXT;
}

enum callout_result callout_aad(struct vcpu *v, uint64_t arg) {
    uint32_t ah = v->gpr[EAX] >> 8 & 0xffu;
    struct result r = arithmetic(v->gpr[EAX] & 0xffu, (ah * CO_IMM(arg)) & 0xffu, false, 8);

    callout_set_reg(v, EAX, r.value, 2);
    set_arith(v, r.flags);
    return CALLOUT_NEXT;
}

/* -- packed digits -- */

static enum callout_result adjust_packed(struct vcpu *v, bool subtract) {
    uint32_t al = v->gpr[EAX] & 0xffu;
    bool low = low_digit_bad(v);
    bool high = al > 0x99 || (v->flags & EFL_CF);
    struct result r = arithmetic(al, (low ? 6u : 0) + (high ? 0x60u : 0), subtract, 8);
    bool carry = high || (subtract && low && al < 6);

    callout_set_reg(v, EAX, r.value, 1);
    set_arith(v, (r.flags & ~(EFL_CF | EFL_AF)) | (carry ? EFL_CF : 0) | (low ? EFL_AF : 0));
    return CALLOUT_NEXT;
}

enum callout_result callout_daa(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return adjust_packed(v, false);
}

enum callout_result callout_das(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return adjust_packed(v, true);
}
