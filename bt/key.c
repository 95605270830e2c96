/*
 * Intel SDM vol. 3A sections 2.5 (control registers), 5.3 (limit checking).
 */
#include "bt/key.h"

#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/segment.h"

static inline uint32_t segment_key(const struct vcpu *v, unsigned s) {
    enum segment_class class = segment_class(&v->seg[s], s == SEG_CS);

    if (class == SEGMENT_CHECKED)
        return 0;
    return class == SEGMENT_FLAT ? KEY_WIDE(s) | KEY_FLAT(s) : KEY_WIDE(s);
}

uint32_t key_of(struct vcpu *v, bool single) {
    uint32_t key = v->cpl;

    if (v->seg[SEG_CS].attr & SEG_DB)
        key |= KEY_CODE32;
    if (v->seg[SEG_SS].attr & SEG_DB)
        key |= KEY_STACK32;
    key |= segment_key(v, SEG_ES) | segment_key(v, SEG_CS) | segment_key(v, SEG_SS) |
           segment_key(v, SEG_DS);
    if (mmu_view_direct(v, vcpu_user(v)))
        key |= KEY_DIRECT;
    if (v->cpl == 3 && (v->cr0 & CR0_AM) && (v->sysflags & EFL_AC))
        key |= KEY_ALIGN;
    if (single || (v->sysflags & EFL_TF) || v->shadow != SHADOW_NONE || debug_armed(v))
        key |= KEY_SINGLE;
    if (v->watching)
        key = (key | KEY_WATCH) & ~KEY_DIRECT;
    if (v->cr0 & (CR0_EM | CR0_TS | CR0_MP)) {
        if (v->cr0 & (CR0_EM | CR0_TS))
            key |= KEY_FPU_NM;
        if (v->cr0 & CR0_EM)
            key |= KEY_MMX_UD;
        if (v->cr0 & CR0_TS) {
            key |= KEY_SSE_NM;
            if (v->cr0 & CR0_MP)
                key |= KEY_WAIT_NM;
        }
    }
    if (v->ferr)
        key |= KEY_FERR;
    if ((v->cr0 & CR0_EM) || !(v->cr4 & CR4_OSFXSR))
        key |= KEY_SSE_UD;
    if (!(v->cr0 & CR0_PE) || (v->sysflags & EFL_VM))
        key |= KEY_REAL;
    return key;
}
