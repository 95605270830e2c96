/*
 * Will DIV or IDIV fault (Intel SDM vol. 2A)? Asked first where divide errors come so thick that
 * the host's exception is the dearer way (bt/hints.c). The division itself is the processor's.
 */
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/cpu.h"
#include "vmm/vcpu.h"

/* AL CL DL BL AH CH DH BH */
static uint32_t byte_register(const struct vcpu *v, unsigned reg) {
    return v->gpr[reg & 3] >> (reg >= 4 ? 8 : 0) & 0xff;
}

/* Where the divisor is. NULL with a fault pending: it cannot be read; else it is not for here: the
 * division alone may read a device. */
static const void *find_divisor(struct vcpu *v, uint64_t arg, unsigned size, uint32_t *reg) {
    gla_t gla;

    if (!CO_IS_MEM(arg)) {
        *reg = size == 1 ? byte_register(v, CO_RM(arg)) : v->gpr[CO_RM(arg) & 7u];
        return reg;
    }
    if (!cpu_linear(v, CO_SEG(arg), v->ea, size, false, &gla) ||
        (gla & ~PAGE_MASK) + size > PAGE_SIZE)
        return NULL;
    return mmu_page_ptr(v, gla, MMU_R | (vcpu_user(v) ? MMU_USER : 0u));
}

/* AX, DX:AX or EDX:EAX */
static uint64_t dividend(const struct vcpu *v, unsigned size) {
    if (size == 4)
        return (uint64_t)v->gpr[EDX] << 32 | v->gpr[EAX];
    if (size == 2)
        return (uint64_t)(v->gpr[EDX] & 0xffff) << 16 | (v->gpr[EAX] & 0xffff);
    return v->gpr[EAX] & 0xffff;
}

static bool negative(uint64_t value, unsigned bits) {
    return value >> (bits - 1) & 1;
}

/* The value of a two's complement number of so many bits without its sign. */
static uint64_t magnitude(uint64_t value, unsigned bits) {
    uint64_t mask = ~0ull >> (64 - bits);

    return (negative(value, bits) ? 0 - value : value) & mask;
}

/* CO_REG is the opcode extension: 6 DIV, 7 IDIV. */
enum callout_result callout_divide(struct vcpu *v, uint64_t arg) {
    unsigned size = CO_OPSIZE(arg), bits = 8 * size;
    bool is_signed = CO_REG(arg) & 1;
    uint32_t by = 0, reg;
    const void *at = find_divisor(v, arg, size, &reg);

    if (!at)
        return v->exc.pending ? CALLOUT_EXIT : CALLOUT_NEXT;
    memcpy(&by, at, size);
    uint64_t n = dividend(v, size), d = by & ~0ull >> (64 - bits);
    bool minus_n = is_signed && negative(n, 2 * bits), minus_d = is_signed && negative(d, bits);
    if (is_signed) {
        n = magnitude(n, 2 * bits);
        d = magnitude(d, bits);
    }
    if (d == 0)
        return callout_raise(v, VEC_DE);
    uint64_t largest =
        is_signed ? (1ull << (bits - 1)) - (minus_n == minus_d) : ~0ull >> (64 - bits);
    if (n / d > largest)
        return callout_raise(v, VEC_DE);
    return CALLOUT_NEXT;
}
