/*
 * SYSENTER and SYSEXIT: flat segments by decree, no descriptor is read.
 * Intel SDM vol. 2B SYSENTER, SYSEXIT; vol. 3A section 5.8.7.
 */
#include "vmm/callout.h"
#include "vmm/segment.h"

#define FLAT_CODE (SEG_G | SEG_DB | SEG_P | SEG_S | SEG_CODE | SEG_W | SEG_A)
#define FLAT_DATA (SEG_G | SEG_DB | SEG_P | SEG_S | SEG_W | SEG_A)

static inline void set_flat(struct vcpu *v, unsigned cs_offset, unsigned cpl) {
    uint16_t cs = (uint16_t)(((v->sysenter_cs & 0xfffcu) + cs_offset) | cpl);
    uint16_t dpl = (uint16_t)(cpl << SEG_DPL_SHIFT);
    const struct seg code = {.sel = cs, .attr = FLAT_CODE | dpl, .limit = 0xffffffffu};
    const struct seg stack = {
        .sel = (uint16_t)(cs + 8), .attr = FLAT_DATA | dpl, .limit = 0xffffffffu};

    vcpu_set_keyed_seg(v, SEG_CS, &code);
    vcpu_set_keyed_seg(v, SEG_SS, &stack);
    v->cpl = (uint8_t)cpl;
}

enum callout_result callout_sysenter(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!(v->cr0 & CR0_PE) || sel_is_null((uint16_t)v->sysenter_cs)) {
        vcpu_raise_error(v, VEC_GP, 0);
        return CALLOUT_EXIT;
    }
    vcpu_update_eflags(v, 0, EFL_VM | EFL_IF | EFL_RF);
    set_flat(v, 0, 0);
    v->gpr[ESP] = v->sysenter_esp;
    v->eip = v->sysenter_eip;
    return CALLOUT_EXIT;
}

enum callout_result callout_sysexit(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!(v->cr0 & CR0_PE) || v->cpl != 0 || sel_is_null((uint16_t)v->sysenter_cs)) {
        vcpu_raise_error(v, VEC_GP, 0);
        return CALLOUT_EXIT;
    }
    set_flat(v, 16, 3);
    v->gpr[ESP] = v->gpr[ECX];
    v->eip = v->gpr[EDX];
    return CALLOUT_EXIT;
}
