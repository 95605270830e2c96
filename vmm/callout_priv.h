/*
 * What the callout routines share: ways to end, privilege checks, operands (private to vmm/).
 * See vmm/callout.h for the contract.
 */
#ifndef VMM_CALLOUT_PRIV_H
#define VMM_CALLOUT_PRIV_H

#include "vmm/callout.h"
#include "vmm/cpu.h"

/* The instruction is done and translated code must be left. */
static inline enum callout_result callout_leave(struct vcpu *v) {
    v->eip = v->next_eip;
    return CALLOUT_EXIT;
}

/* The instruction faults: as if it had not begun. */
static inline enum callout_result callout_raise(struct vcpu *v, unsigned vector) {
    vcpu_raise(v, vector);
    return CALLOUT_EXIT;
}

static inline enum callout_result callout_raise_error(struct vcpu *v, unsigned vector,
                                                      uint32_t error) {
    vcpu_raise_error(v, vector, error);
    return CALLOUT_EXIT;
}

/* The instruction is done and has written to memory: leaves when that hit translated code. The
 * flag may be left over from an earlier writer; leaving once too often does no harm. */
static inline enum callout_result callout_wrote(struct vcpu *v) {
    if (!v->code_written)
        return CALLOUT_NEXT;
    v->code_written = false;
    return callout_leave(v);
}

/* False with #GP(0) pending unless CPL is 0 (real mode is; virtual-8086 mode is CPL 3). */
static inline bool callout_need_cpl0(struct vcpu *v) {
    return v->cpl == 0 || vcpu_raise_error(v, VEC_GP, 0);
}

/* False with #UD pending in real-address and virtual-8086 mode. */
static inline bool callout_need_protected(struct vcpu *v) {
    return ((v->cr0 & CR0_PE) && !(v->sysflags & EFL_VM)) || vcpu_raise(v, VEC_UD);
}

static inline unsigned callout_iopl(const struct vcpu *v) {
    return (v->sysflags & EFL_IOPL) / (EFL_IOPL & (0u - EFL_IOPL));
}

/* Writes the low size bytes (1, 2 or 4) of register reg; 1 byte goes to AL..BL (reg < 4). */
static inline void callout_set_reg(struct vcpu *v, unsigned reg, uint32_t value, unsigned size) {
    uint32_t mask = size == 4 ? 0xffffffffu : size == 2 ? 0xffffu : 0xffu;

    v->gpr[reg] = (v->gpr[reg] & ~mask) | (value & mask);
}

/* Reads an r/m16 operand. False: fault pending. */
static inline bool callout_read_rm16(struct vcpu *v, uint64_t arg, uint16_t *value) {
    if (CO_IS_MEM(arg))
        return cpu_read(v, CO_SEG(arg), v->ea, value, 2);
    *value = (uint16_t)v->gpr[CO_RM(arg)];
    return true;
}

#endif
