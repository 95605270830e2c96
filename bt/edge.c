/*
 * Is EIP, in R8, the one that this code is for? The flags have to stay, and JRCXZ takes four
 * instructions. Hot code takes two:
 *
 *      lea r9d, [r8 - eip]
 *      movzx reg, byte [r14 + r9]
 *
 * R14 points at the last byte of a page, and the 4 GiB behind it are not mapped. So the load
 * succeeds for a difference of 0 and faults for any other.
 *
 * A fault is dear. Who looks in this way remembers for some seconds which EIPs it was wrong about
 * (struct astray), and looks in another way for these.
 */
#include "bt/regs.h"
#include "bt/translation.h"

#define ASTRAY_NS 5000000000u

void edge_emit_compare(struct emit *e, uint32_t eip, unsigned reg) {
    struct mop at_edge = {.base = REG_EDGE, .index = R9};

    emit_u8(e, 0x45); /* lea r9d, [r8 + disp32] with the displacement always 32 bits wide */
    emit_u8(e, 0x8d);
    emit_u8(e, 0x88);
    emit_u32(e, 0u - eip);
    emit_op_mem(e, 0, 0x0fb6, reg, &at_edge);
}

uint32_t edge_difference(const struct vcpu *v, uint64_t address) {
    uint64_t edge = (uint64_t)(uintptr_t)v->edge;

    return edge && address > edge && address - edge <= UINT32_MAX ? (uint32_t)(address - edge) : 0;
}

static uint64_t bit_of(uint32_t eip) {
    return 1ull << eip % 64;
}

static void expire(struct astray *a, uint64_t now_ns) {
    if (now_ns - a->since_ns >= ASTRAY_NS)
        *a = (struct astray){.since_ns = now_ns};
}

void astray_add(struct astray *a, uint32_t eip, uint64_t now_ns) {
    expire(a, now_ns);
    a->bits[eip % ASTRAY_BITS / 64] |= bit_of(eip);
}

bool astray_has(struct astray *a, uint32_t eip, uint64_t now_ns) {
    expire(a, now_ns);
    return a->bits[eip % ASTRAY_BITS / 64] & bit_of(eip);
}
