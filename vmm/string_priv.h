/*
 * What string instructions share (private to vmm/string*.c and vmm/port_io.c): index and count
 * registers, and stretches of memory that can be worked on through a host pointer.
 * Intel SDM vol. 1 section 7.3.9, vol. 2B REP. The address size says how much of ESI, EDI and ECX
 * takes part; DF the direction.
 */
#ifndef VMM_STRING_PRIV_H
#define VMM_STRING_PRIV_H

#include "vmm/callout.h"
#include "vmm/debug_trap.h"
#include "vmm/vm.h"

static inline uint32_t string_mask(uint64_t arg) {
    return CO_ADSIZE(arg) == 2 ? 0xffffu : 0xffffffffu;
}

static inline gva_t string_offset(const struct vcpu *v, uint64_t arg, unsigned reg) {
    return v->gpr[reg] & string_mask(arg);
}

/* How many elements are to be done. */
static inline uint32_t string_remaining(const struct vcpu *v, uint64_t arg) {
    return CO_REP(arg) == CO_REP_NONE ? 1 : v->gpr[ECX] & string_mask(arg);
}

/* Moves ESI or EDI past n elements. */
static inline void string_advance(struct vcpu *v, uint64_t arg, unsigned reg, uint32_t n) {
    uint32_t mask = string_mask(arg);
    uint32_t bytes = n * CO_OPSIZE(arg);
    uint32_t next = v->flags & EFL_DF ? v->gpr[reg] - bytes : v->gpr[reg] + bytes;

    v->gpr[reg] = (v->gpr[reg] & ~mask) | (next & mask);
}

/* n elements (at most what remained) are done. */
static inline void string_count_down(struct vcpu *v, uint64_t arg, uint32_t n) {
    uint32_t mask = string_mask(arg);

    if (CO_REP(arg) != CO_REP_NONE)
        v->gpr[ECX] = (v->gpr[ECX] & ~mask) | ((v->gpr[ECX] - n) & mask);
}

/* An event waits: a repeated instruction must let it in between elements. */
static inline bool string_must_yield(const struct vcpu *v) {
    return v->vm->kicked || v->vm->stop != VM_RUNNING || v->stepping || v->dr6_hits;
}

/* Leaves with elements still to be done: what comes in now pushes RF set, so that a breakpoint on
 * the instruction does not count for each of them (SDM vol. 3B section 17.3.1.1). */
static inline enum callout_result string_yield(struct vcpu *v) {
    v->sysflags |= EFL_RF;
    return CALLOUT_EXIT;
}

/* One element in memory. (The builtin, since a freestanding compiler calls memcpy.) */
static inline uint32_t string_load(const uint8_t *p, uint32_t size) {
    uint32_t wide;
    uint16_t half;

    switch (size) {
    case 1:
        return *p;
    case 2:
        __builtin_memcpy(&half, p, sizeof half);
        return half;
    default:
        __builtin_memcpy(&wide, p, sizeof wide);
        return wide;
    }
}

static inline void string_store(uint8_t *p, uint32_t value, uint32_t size) {
    uint16_t half = (uint16_t)value;

    switch (size) {
    case 1:
        *p = (uint8_t)value;
        break;
    case 2:
        __builtin_memcpy(p, &half, sizeof half);
        break;
    default:
        __builtin_memcpy(p, &value, sizeof value);
    }
}

/* Distance from one element to the next. */
static inline ptrdiff_t string_stride(const struct vcpu *v, uint32_t size) {
    return v->flags & EFL_DF ? -(ptrdiff_t)size : (ptrdiff_t)size;
}

/* Elements that can be accessed through one host pointer. */
struct string_span {
    gla_t gla;      /* of the first element */
    uint8_t *ptr;   /* the same; the others follow upwards or, with DF set, downwards */
    uint32_t count; /* 0: not plain memory, do one element through mmu_read or mmu_write */
};

/*
 * The memory operand sreg:reg of at most `max` (not 0) elements: ends where the page, the segment
 * or the address size does. access is MMU_R or MMU_W. False: the first element faults, pending.
 */
bool string_span(struct vcpu *v, uint64_t arg, unsigned sreg, unsigned reg, unsigned access,
                 uint32_t max, struct string_span *span);

#endif
