/*
 * HLT (Intel SDM vol. 2A). The run loop sleeps until an interrupt is due.
 */
#include "vmm/callout_priv.h"

enum callout_result callout_hlt(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!callout_need_cpl0(v))
        return CALLOUT_EXIT;
    v->halted = true;
    return callout_leave(v);
}
