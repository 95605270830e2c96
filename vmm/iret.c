/*
 * IRET in all its forms.
 *
 * Intel SDM vol. 2A IRET (operation section), vol. 3B sections 20.1.4 and 20.2.5 (real and
 * virtual-8086 mode), vol. 3A section 7.3 (return from a nested task).
 */
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/callout.h"
#include "vmm/recall.h"
#include "vmm/segment.h"
#include "vmm/stack.h"
#include "vmm/task.h"

/* EFLAGS bits any IRET may change. */
#define FLAGS16 (EFL_ARITH | EFL_DF | EFL_TF | EFL_NT)
#define FLAGS32 (FLAGS16 | EFL_RF | EFL_AC | EFL_ID)

/* What IRET pops first. */
struct frame {
    uint32_t eip;
    uint16_t cs;
    uint32_t eflags;
};

/* Reads n values of size bytes that stand `skip` values up the stack. */
static bool peek_values(struct vcpu *v, uint32_t skip, uint32_t *out, uint32_t n, unsigned size) {
    uint16_t narrow[8];

    if (size == 4)
        return stack_peek(v, skip * 4, out, n * 4, 4);
    if (!stack_peek(v, skip * 2, narrow, n * 2, 2))
        return false;
    for (uint32_t i = 0; i < n; i++)
        out[i] = narrow[i];
    return true;
}

static bool peek_frame(struct vcpu *v, struct frame *f, unsigned size) {
    uint32_t value[3];

    if (!peek_values(v, 0, value, 3, size))
        return false;
    f->eip = value[0];
    f->cs = (uint16_t)value[1];
    f->eflags = value[2];
    return true;
}

/* -- paragraph modes -- */

static bool return_paragraph(struct vcpu *v, const struct frame *f, unsigned size, uint32_t mask) {
    struct seg cs;

    segment_paragraph(v, SEG_CS, f->cs, &cs);
    if (f->eip > cs.limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    stack_release(v, 3 * size);
    vcpu_set_seg(v, SEG_CS, &cs);
    v->eip = f->eip;
    vcpu_set_eflags(v, f->eflags, mask);
    return true;
}

static bool iret_real(struct vcpu *v, const struct frame *f, unsigned size) {
    return return_paragraph(v, f, size, (size == 4 ? FLAGS32 : FLAGS16) | EFL_IF | EFL_IOPL);
}

static bool iret_v86(struct vcpu *v, const struct frame *f, unsigned size) {
    if ((v->sysflags & EFL_IOPL) != EFL_IOPL)
        return vcpu_raise_error(v, VEC_GP, 0);
    return return_paragraph(v, f, size, (size == 4 ? FLAGS32 : FLAGS16) | EFL_IF);
}

/* -- protected mode -- */

static bool return_to_v86(struct vcpu *v, const struct frame *f) {
    static const uint8_t order[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    uint32_t rest[6]; /* ESP, then the selectors in that order */
    struct seg s;

    if (!peek_values(v, 3, rest, 6, 4))
        return false;
    if (f->eip > 0xffffu)
        return vcpu_raise_error(v, VEC_GP, 0);

    segment_v86(f->cs, &s);
    vcpu_set_seg(v, SEG_CS, &s);
    for (unsigned i = 0; i < sizeof order; i++) {
        segment_v86((uint16_t)rest[1 + i], &s);
        vcpu_set_seg(v, order[i], &s);
    }
    v->gpr[ESP] = rest[0];
    v->eip = f->eip;
    v->cpl = 3;
    vcpu_set_eflags(v, f->eflags, FLAGS32 | EFL_IF | EFL_IOPL | EFL_VM);
    return true;
}

/* What the returning code's privilege lets it change of EFLAGS. */
static uint32_t flags_mask(const struct vcpu *v, unsigned size) {
    uint32_t mask = size == 4 ? FLAGS32 : FLAGS16;

    if (v->cpl <= (v->sysflags & EFL_IOPL) >> 12)
        mask |= EFL_IF;
    if (v->cpl == 0)
        mask |= EFL_IOPL;
    return mask;
}

static bool return_same_level(struct vcpu *v, const struct frame *f, const struct seg *cs,
                              unsigned size) {
    if (f->eip > cs->limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    stack_release(v, 3 * size);
    vcpu_set_seg(v, SEG_CS, cs);
    v->eip = f->eip;
    vcpu_set_eflags(v, f->eflags, flags_mask(v, size));
    return true;
}

static bool return_outer_level(struct vcpu *v, const struct frame *f, const struct seg *cs,
                               unsigned size) {
    unsigned cpl = sel_rpl(f->cs);
    uint32_t stack[2]; /* ESP, SS */
    struct seg ss;

    if (!peek_values(v, 3, stack, 2, size) ||
        !segment_fetch_return_ss(v, (uint16_t)stack[1], cpl, &ss))
        return false;
    if (f->eip > cs->limit)
        return vcpu_raise_error(v, VEC_GP, 0);

    vcpu_set_eflags(v, f->eflags, flags_mask(v, size));
    vcpu_set_seg(v, SEG_CS, cs);
    vcpu_set_seg(v, SEG_SS, &ss);
    v->gpr[ESP] = stack_merge(&ss, v->gpr[ESP], stack[0]);
    v->eip = f->eip;
    v->cpl = (uint8_t)cpl;
    segment_drop_privileged(v, cpl);
    return true;
}

static bool return_nested_task(struct vcpu *v) {
    uint16_t link;

    return mmu_read16(v, v->tr.base, &link, false) &&
           task_switch(v, link, TASK_IRET, 0, v->next_eip, vcpu_eflags(v));
}

static bool iret_protected(struct vcpu *v, const struct frame *f, unsigned size) {
    struct seg cs;

    if (size == 4 && (f->eflags & EFL_VM) && v->cpl == 0)
        return return_to_v86(v, f);
    if (!segment_fetch_return_cs(v, f->cs, &cs))
        return false;
    return sel_rpl(f->cs) > v->cpl ? return_outer_level(v, f, &cs, size)
                                   : return_same_level(v, f, &cs, size);
}

static bool iret(struct vcpu *v, unsigned size) {
    bool protected_mode = v->cr0 & CR0_PE;
    struct frame f;

    if (protected_mode && (v->sysflags & (EFL_VM | EFL_NT)) == EFL_NT)
        return return_nested_task(v);
    if (!peek_frame(v, &f, size))
        return false;
    if (!protected_mode)
        return iret_real(v, &f, size);
    return v->sysflags & EFL_VM ? iret_v86(v, &f, size) : iret_protected(v, &f, size);
}

enum callout_result callout_iret(struct vcpu *v, uint64_t arg) {
    unsigned from = v->cpl;

    if (CO_OPSIZE(arg) != 4 || !recall_iret(v)) {
        if (!iret(v, CO_OPSIZE(arg)))
            return CALLOUT_EXIT;
        recall_note_iret(v, from);
    }
    v->nmi_blocked = false;
    /* The page a #PF handler has just mapped is what the program touches next. */
    if (v->pf_delivered && from != 3 && v->cpl == 3) {
        v->pf_delivered = false;
        v->prefill = true;
    }
    return CALLOUT_EXIT;
}
