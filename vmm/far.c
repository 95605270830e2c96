/*
 * Far JMP, CALL and RET.
 *
 * Intel SDM vol. 2A CALL, JMP, vol. 2B RET (operation sections); vol. 3A sections 5.8.1 (direct
 * transfers), 5.8.6 (returns), 7.3 (task switches).
 */
#include "host/host.h"
#include "vmm/callgate.h"
#include "vmm/callout.h"
#include "vmm/segment.h"
#include "vmm/stack.h"
#include "vmm/task.h"

struct far_ptr {
    uint16_t sel;
    uint32_t eip;
};

static bool fetch_operand(struct vcpu *v, uint64_t arg, struct far_ptr *p) {
    unsigned size = CO_OPSIZE(arg);
    uint8_t bytes[6];

    if (CO_IS_MEM(arg)) {
        if (!cpu_read_parts(v, CO_SEG(arg), v->ea, bytes, size + 2, size))
            return false;
        p->eip = 0;
        memcpy(&p->eip, bytes, size);
        memcpy(&p->sel, bytes + size, 2);
    } else {
        p->eip = CO_IMM(arg);
        p->sel = (uint16_t)v->val;
    }
    if (size == 2)
        p->eip &= 0xffffu;
    return true;
}

/* -- JMP and CALL -- */

/* Pushes CS and EIP of the next instruction; *esp is the result. */
static bool push_return(struct vcpu *v, unsigned size, uint32_t *esp) {
    uint8_t frame[8];
    uint32_t cs = v->seg[SEG_CS].sel;

    memcpy(frame, &v->next_eip, size);
    memcpy(frame + size, &cs, size);
    *esp = v->gpr[ESP];
    return stack_push_frame(v, &v->seg[SEG_SS], esp, frame, 2 * size, size, vcpu_user(v), 0);
}

/* Goes to cs:eip, which has passed all checks but the limit. call_size 0: JMP. */
static bool transfer(struct vcpu *v, const struct seg *cs, uint32_t eip, unsigned call_size) {
    uint32_t esp = v->gpr[ESP];

    if (eip > cs->limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (call_size != 0 && !push_return(v, call_size, &esp))
        return false;
    v->gpr[ESP] = esp;
    vcpu_set_seg(v, SEG_CS, cs);
    v->eip = eip;
    return true;
}

static bool to_code(struct vcpu *v, const struct far_ptr *p, struct seg *cs, unsigned call_size) {
    unsigned dpl = attr_dpl(cs->attr);
    bool allowed =
        attr_is_conforming(cs->attr) ? dpl <= v->cpl : sel_rpl(p->sel) <= v->cpl && dpl == v->cpl;

    if (!allowed)
        return segment_fault(v, VEC_GP, p->sel, 0);
    if (!(cs->attr & SEG_P))
        return segment_fault(v, VEC_NP, p->sel, 0);
    if (p->eip > cs->limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!segment_set_accessed(v, cs))
        return false;
    cs->sel = (uint16_t)((p->sel & 0xfffcu) | v->cpl);
    return transfer(v, cs, p->eip, call_size);
}

static bool to_task(struct vcpu *v, const struct far_ptr *p, const struct desc *d,
                    const struct seg *s, bool call) {
    unsigned dpl = attr_dpl(s->attr);
    uint16_t tss = p->sel;

    if (dpl < v->cpl || dpl < sel_rpl(p->sel))
        return segment_fault(v, VEC_GP, p->sel, 0);
    if (attr_system_type(s->attr) == SYS_TASK_GATE) {
        if (!(s->attr & SEG_P))
            return segment_fault(v, VEC_NP, p->sel, 0);
        tss = (uint16_t)(d->lo >> 16);
    }
    return task_switch(v, tss, call ? TASK_CALL : TASK_JMP, 0, v->next_eip, vcpu_eflags(v));
}

static bool transfer_protected(struct vcpu *v, const struct far_ptr *p, unsigned call_size) {
    struct desc d;
    struct seg s;

    if (sel_is_null(p->sel))
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!cpu_desc_read(v, p->sel, &d, VEC_GP, 0))
        return false;
    cpu_desc_unpack(p->sel, &d, &s);
    if (attr_is_code(s.attr))
        return to_code(v, p, &s, call_size);

    switch (attr_system_type(s.attr)) {
    case SYS_CALL16:
    case SYS_CALL32:
        return call_size ? callgate_call(v, p->sel, &d) : callgate_jmp(v, p->sel, &d);
    case SYS_TASK_GATE:
    case SYS_TSS16:
    case SYS_TSS32:
        return to_task(v, p, &d, &s, call_size != 0);
    default:
        return segment_fault(v, VEC_GP, p->sel, 0);
    }
}

static void far_transfer(struct vcpu *v, uint64_t arg, unsigned call_size) {
    struct far_ptr p;

    if (!fetch_operand(v, arg, &p))
        return;
    if (cpu_paragraph_mode(v)) {
        struct seg cs;

        segment_paragraph(v, SEG_CS, p.sel, &cs);
        transfer(v, &cs, p.eip, call_size);
    } else {
        transfer_protected(v, &p, call_size);
    }
}

enum callout_result callout_jmp_far(struct vcpu *v, uint64_t arg) {
    far_transfer(v, arg, 0);
    return CALLOUT_EXIT;
}

enum callout_result callout_call_far(struct vcpu *v, uint64_t arg) {
    far_transfer(v, arg, CO_OPSIZE(arg));
    return CALLOUT_EXIT;
}

/* -- RET -- */

/* Reads two values of size bytes that stand `skip` bytes up the stack. */
static bool peek_pair(struct vcpu *v, uint32_t skip, unsigned size, uint32_t *first,
                      uint16_t *second) {
    uint8_t bytes[8];

    if (!stack_peek(v, skip, bytes, 2 * size, size))
        return false;
    *first = 0;
    memcpy(first, bytes, size);
    memcpy(second, bytes + size, 2);
    return true;
}

static bool return_outer_level(struct vcpu *v, const struct seg *cs, uint32_t eip, unsigned size,
                               uint32_t params) {
    unsigned cpl = sel_rpl(cs->sel);
    uint16_t ss_sel;
    uint32_t esp;
    struct seg ss;

    if (!peek_pair(v, 2 * size + params, size, &esp, &ss_sel) ||
        !segment_fetch_return_ss(v, ss_sel, cpl, &ss))
        return false;
    if (eip > cs->limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    vcpu_set_seg(v, SEG_CS, cs);
    vcpu_set_seg(v, SEG_SS, &ss);
    v->gpr[ESP] = stack_merge(&ss, v->gpr[ESP], esp + params);
    v->eip = eip;
    v->cpl = (uint8_t)cpl;
    segment_drop_privileged(v, cpl);
    return true;
}

static bool return_far(struct vcpu *v, unsigned size, uint32_t params) {
    uint32_t eip;
    uint16_t sel;
    struct seg cs;

    if (!peek_pair(v, 0, size, &eip, &sel))
        return false;
    if (cpu_paragraph_mode(v)) {
        segment_paragraph(v, SEG_CS, sel, &cs);
    } else {
        if (!segment_fetch_return_cs(v, sel, &cs))
            return false;
        if (sel_rpl(sel) > v->cpl)
            return return_outer_level(v, &cs, eip, size, params);
    }
    if (eip > cs.limit)
        return vcpu_raise_error(v, VEC_GP, 0);
    stack_release(v, 2 * size + params);
    vcpu_set_seg(v, SEG_CS, &cs);
    v->eip = eip;
    return true;
}

enum callout_result callout_ret_far(struct vcpu *v, uint64_t arg) {
    return_far(v, CO_OPSIZE(arg), CO_IMM(arg) & 0xffffu);
    return CALLOUT_EXIT;
}
