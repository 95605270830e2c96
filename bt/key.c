/*
 * Intel SDM vol. 3A sections 2.5 (control registers), 5.3 (limit checking).
 */
#include "bt/key.h"

uint32_t key_of_rare(const struct vcpu *v, bool single) {
    uint32_t key = 0;

    if (v->cpl == 3 && (v->cr0 & CR0_AM) && (v->sysflags & EFL_AC))
        key |= KEY_ALIGN;
    if (single || (v->sysflags & EFL_TF) || v->shadow != SHADOW_NONE || debug_armed(v))
        key |= KEY_SINGLE;
    if (v->watching)
        key |= KEY_WATCH;
    if (v->cr0 & (CR0_EM | CR0_TS))
        key |= KEY_FPU_NM;
    if (v->cr0 & CR0_EM)
        key |= KEY_MMX_UD | KEY_SSE_UD;
    if (v->cr0 & CR0_TS) {
        key |= KEY_SSE_NM;
        if (v->cr0 & CR0_MP)
            key |= KEY_WAIT_NM;
    }
    if (v->ferr)
        key |= KEY_FERR;
    if (!(v->cr0 & CR0_PE) || (v->sysflags & EFL_VM))
        key |= KEY_REAL;
    return key;
}
