/*
 * RDTSC and RDPMC (Intel SDM vol. 2B).
 */
#include "vmm/tsc.h"

#include "vmm/callout_priv.h"

enum callout_result callout_rdtsc(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if ((v->cr4 & CR4_TSD) && v->cpl != 0)
        return callout_raise_error(v, VEC_GP, 0);

    uint64_t tsc = tsc_read(v);

    v->gpr[EAX] = (uint32_t)tsc;
    v->gpr[EDX] = (uint32_t)(tsc >> 32);
    return CALLOUT_NEXT;
}

/* There are no performance counters, so every index is one too high. */
enum callout_result callout_rdpmc(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return callout_raise_error(v, VEC_GP, 0);
}
