/*
 * Keeping struct vcpu's redundant parts in step, pending faults, and the power-on state.
 *
 * Intel SDM vol. 1 section 3.4.3 (EFLAGS), vol. 3A table 9-1 (state after reset).
 *
 * Invariants: seg_base[i] == seg[i].base; seg_facts are of seg[]; pushf_fixed + live RFLAGS + ifl
 * is the image PUSHF pushes.
 */
#include "vmm/vcpu.h"

#include "host/host.h"
#include "vmm/cpuid.h"
#include "vmm/msr.h"
#include "vmm/recall.h"
#include "vmm/segment.h"

void vcpu_set_eflags(struct vcpu *v, uint32_t value, uint32_t mask) {
    uint32_t image = (vcpu_eflags(v) & ~mask) | (value & mask);

    v->flags = image & EFL_LIVE;
    v->ifl = image & EFL_IF;
    v->sysflags = image & EFL_SYS;
    /* PUSHF clears VM and RF in the image it pushes (SDM vol. 2B, PUSHF). */
    v->pushf_fixed = ((image & EFL_SYS & ~(EFL_VM | EFL_RF)) | EFL_ONE) - host_fixed_rflags();
}

void vcpu_set_fault(struct vcpu *v, unsigned vector, bool has_error, uint32_t error, gla_t cr2) {
    v->exc = (struct exception){.pending = true,
                                .vector = (uint8_t)vector,
                                .has_error = has_error,
                                .error = error,
                                .cr2 = cr2};
}

void vcpu_set_seg(struct vcpu *v, unsigned sreg, const struct seg *s) {
    if (sreg <= SEG_DS) {
        vcpu_set_keyed_seg(v, sreg, s);
        return;
    }
    v->seg[sreg] = *s;
    v->seg_base[sreg] = s->base;
    v->fs_gs_base[sreg - SEG_FS] = segment_class(s, false) == SEGMENT_CHECKED
                                       ? v->seg_poison
                                       : (uint64_t)(uintptr_t)&v->seg_base[sreg];
}

static void reset_segments(struct vcpu *v) {
    const struct seg data = {.attr = SEG_P | SEG_S | SEG_W | SEG_A, .limit = 0xffff};
    struct seg code = data;

    v->seg_facts = 0;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        vcpu_set_seg(v, i, &data);
    code.sel = 0xf000;
    code.base = 0xffff0000;
    vcpu_set_seg(v, SEG_CS, &code);

    v->ldtr = (struct seg){.attr = SEG_P | 0x2, .limit = 0xffff};
    v->tr = (struct seg){.attr = SEG_P | 0xb, .limit = 0xffff};
    v->gdtr = (struct dtable){.limit = 0xffff};
    v->idtr = (struct dtable){.limit = 0xffff};
}

static void reset_msrs(struct vcpu *v) {
    v->efer = 0;
    v->sysenter_cs = 0;
    v->sysenter_esp = 0;
    v->sysenter_eip = 0;
    v->pat = MSR_PAT_RESET;
    v->hwcr = MSR_HWCR_RESET;
    v->tsc_adjust = 0;
    v->tsc_offset = 0 - __builtin_ia32_rdtsc();
}

/* FCW and MXCSR after reset; the rest of the image is zero (SDM vol. 3A table 9-1). */
static void reset_fpu(struct vcpu *v) {
    static const uint16_t fcw = 0x037f;
    static const uint32_t mxcsr = 0x1f80;

    memset(v->fpu, 0, sizeof v->fpu);
    memcpy(v->fpu, &fcw, sizeof fcw);
    memcpy(v->fpu + 24, &mxcsr, sizeof mxcsr);
}

void vcpu_reset(struct vcpu *v) {
    memset(v->gpr, 0, sizeof v->gpr);
    v->gpr[EDX] = CPUID_SIGNATURE;
    v->eip = 0xfff0;
    v->next_eip = 0xfff0;
    vcpu_set_eflags(v, EFL_ONE, ~0u);

    reset_segments(v);
    memset(v->recall_gate, 0, sizeof v->recall_gate);
    memset(&v->recall_return, 0, sizeof v->recall_return);
    recall_tables_loaded(v);
    v->cr0 = CR0_CD | CR0_NW | CR0_ET;
    v->cr2 = 0;
    v->cr3 = 0;
    v->cr4 = 0;
    memset(v->dr, 0, sizeof v->dr);
    v->dr[6] = 0xffff0ff0;
    v->dr[7] = 0x400;
    v->watching = false;
    v->stepping = false;
    v->not_run = false;
    v->dr6_hits = 0;
    v->ferr = false;
    v->fpu_held = false;
    memset(v->pdpte, 0, sizeof v->pdpte);
    v->cpl = 0;
    v->shadow = SHADOW_NONE;
    v->halted = false;
    v->intr_line = false;
    v->nmi_pending = false;
    v->nmi_blocked = false;
    v->code_written = false;
    v->pf_delivered = false;
    v->prefill = false;
    reset_msrs(v);
    reset_fpu(v);

    v->exc = (struct exception){0};
    v->bounce.active = false;
    for (unsigned view = 0; view < 2; view++) {
        for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++) {
            v->tlb[view].rtag[i] = SOFT_TLB_INVALID;
            v->tlb[view].wtag[i] = SOFT_TLB_INVALID;
        }
    }
}
