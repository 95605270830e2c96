/*
 * CLI, STI, PUSHF, POPF (Intel SDM vol. 2A/2B; vol. 3A section 6.8.1, vol. 3B section 20.2.7).
 *
 * CR4.VME and CR4.PVI cannot be set (CPUID does not offer them), so VIF and VIP play no part.
 */
#include "vmm/callout_priv.h"

#define POPF_16 0x0000ffffu

/* May IF be changed here? Else #GP(0) (CLI, STI) or it stays (POPF). */
static bool if_writable(const struct vcpu *v) {
    return v->cpl <= callout_iopl(v);
}

enum callout_result callout_cli(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!if_writable(v))
        return callout_raise_error(v, VEC_GP, 0);
    vcpu_set_eflags(v, 0, EFL_IF);
    return CALLOUT_NEXT;
}

/* Interrupts are not accepted before the next instruction is done, if they were off. */
enum callout_result callout_sti(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!if_writable(v))
        return callout_raise_error(v, VEC_GP, 0);
    if (v->ifl)
        return CALLOUT_NEXT;
    vcpu_set_eflags(v, EFL_IF, EFL_IF);
    v->shadow = SHADOW_STI;
    return callout_leave(v);
}

static bool v86_without_iopl3(const struct vcpu *v) {
    return (v->sysflags & EFL_VM) && callout_iopl(v) < 3;
}

enum callout_result callout_pushf(struct vcpu *v, uint64_t arg) {
    uint32_t image = vcpu_eflags(v) & ~(EFL_VM | EFL_RF);

    if (v86_without_iopl3(v))
        return callout_raise_error(v, VEC_GP, 0);
    return cpu_push(v, image, CO_OPSIZE(arg)) ? callout_wrote(v) : CALLOUT_EXIT;
}

/* The flags POPF may change at this privilege; RF it clears. */
static uint32_t popf_mask(const struct vcpu *v) {
    uint32_t mask = EFL_LIVE | EFL_TF | EFL_NT | EFL_RF | EFL_AC | EFL_ID;

    if (v->cpl == 0)
        mask |= EFL_IOPL;
    if (if_writable(v))
        mask |= EFL_IF;
    return mask;
}

enum callout_result callout_popf(struct vcpu *v, uint64_t arg) {
    uint32_t old = vcpu_eflags(v);
    uint32_t image;

    if (v86_without_iopl3(v))
        return callout_raise_error(v, VEC_GP, 0);
    if (!cpu_pop(v, &image, CO_OPSIZE(arg)))
        return CALLOUT_EXIT;
    vcpu_set_eflags(v, image & ~EFL_RF, popf_mask(v) & (CO_OPSIZE(arg) == 2 ? POPF_16 : ~0u));

    uint32_t changed = old ^ vcpu_eflags(v);
    bool enabled = changed & ~old & EFL_IF;

    return enabled || (changed & EFL_SYS) ? callout_leave(v) : CALLOUT_NEXT;
}
