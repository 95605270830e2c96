/*
 * JMP and CALL through call gates, 16- and 32-bit, with stack switch and parameter copy.
 * Intel SDM vol. 3A sections 5.8.3-5.8.5, vol. 2A CALL and JMP (operation sections).
 */
#include "vmm/callgate.h"

#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/segment.h"
#include "vmm/stack.h"

enum { MAX_PARAMS = 31 };

struct target {
    struct seg cs;
    uint32_t eip;
    unsigned size;   /* of pushes: 2 or 4 */
    unsigned params; /* how many the gate copies to an inner stack */
};

/* Checks the gate and its code segment. jmp: the level may not change. */
static bool open_gate(struct vcpu *v, uint16_t sel, const struct desc *gate, bool jmp,
                      struct target *t) {
    uint16_t attr = (uint16_t)((gate->hi >> 8) & 0xffu);
    uint16_t cs_sel = (uint16_t)(gate->lo >> 16);

    if (attr_dpl(attr) < v->cpl || sel_rpl(sel) > attr_dpl(attr))
        return segment_fault(v, VEC_GP, sel, 0);
    if (!(attr & SEG_P))
        return segment_fault(v, VEC_NP, sel, 0);
    if (sel_is_null(cs_sel))
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!segment_fetch(v, cs_sel, &t->cs, VEC_GP, 0))
        return false;

    unsigned dpl = attr_dpl(t->cs.attr);
    bool same_level_only = jmp && !attr_is_conforming(t->cs.attr);

    if (!attr_is_code(t->cs.attr) || dpl > v->cpl || (same_level_only && dpl != v->cpl))
        return segment_fault(v, VEC_GP, cs_sel, 0);
    if (!(t->cs.attr & SEG_P))
        return segment_fault(v, VEC_NP, cs_sel, 0);

    t->size = attr_system_type(attr) & SYS_WIDE_BIT ? 4 : 2;
    t->params = gate->hi & MAX_PARAMS;
    t->eip = (gate->lo & 0xffffu) | (t->size == 4 ? gate->hi & 0xffff0000u : 0);
    return true;
}

static bool check_eip(struct vcpu *v, const struct target *t) {
    return t->eip <= t->cs.limit || vcpu_raise_error(v, VEC_GP, 0);
}

static void enter(struct vcpu *v, struct target *t, unsigned cpl) {
    t->cs.sel = (uint16_t)((t->cs.sel & 0xfffcu) | cpl);
    vcpu_set_seg(v, SEG_CS, &t->cs);
    v->cpl = (uint8_t)cpl;
    v->eip = t->eip;
}

bool callgate_jmp(struct vcpu *v, uint16_t sel, const struct desc *gate) {
    struct target t;

    if (!open_gate(v, sel, gate, true, &t) || !check_eip(v, &t) || !segment_set_accessed(v, &t.cs))
        return false;
    enter(v, &t, v->cpl);
    return true;
}

/* Stores value i of a frame of 2- or 4-byte values. */
static void put(uint8_t *frame, unsigned size, unsigned i, uint32_t value) {
    memcpy(frame + i * size, &value, size);
}

static bool call_same_level(struct vcpu *v, struct target *t) {
    uint32_t esp = v->gpr[ESP];
    uint8_t frame[8];

    put(frame, t->size, 0, v->next_eip);
    put(frame, t->size, 1, v->seg[SEG_CS].sel);
    if (!check_eip(v, t) || !segment_set_accessed(v, &t->cs) ||
        !stack_push_frame(v, &v->seg[SEG_SS], &esp, frame, 2 * t->size, t->size, vcpu_user(v), 0))
        return false;
    v->gpr[ESP] = esp;
    enter(v, t, v->cpl);
    return true;
}

static bool call_inner_level(struct vcpu *v, struct target *t, unsigned cpl) {
    uint8_t frame[(4 + MAX_PARAMS) * 4];
    unsigned size = t->size;
    struct seg ss;
    uint32_t esp;

    if (!segment_fetch_tss_stack(v, cpl, 0, &ss, &esp) || !check_eip(v, t))
        return false;
    put(frame, size, 0, v->next_eip);
    put(frame, size, 1, v->seg[SEG_CS].sel);
    if (t->params != 0 && !stack_peek(v, 0, frame + 2 * size, t->params * size, size))
        return false;
    put(frame, size, 2 + t->params, v->gpr[ESP]);
    put(frame, size, 3 + t->params, v->seg[SEG_SS].sel);
    if (!segment_set_accessed(v, &t->cs) ||
        !stack_push_frame(v, &ss, &esp, frame, (4 + t->params) * size, size, cpl == 3,
                          ss.sel & 0xfffcu))
        return false;
    vcpu_set_seg(v, SEG_SS, &ss);
    v->gpr[ESP] = esp;
    enter(v, t, cpl);
    return true;
}

bool callgate_call(struct vcpu *v, uint16_t sel, const struct desc *gate) {
    struct target t;

    if (!open_gate(v, sel, gate, false, &t))
        return false;

    unsigned dpl = attr_dpl(t.cs.attr);

    if (!attr_is_conforming(t.cs.attr) && dpl < v->cpl)
        return call_inner_level(v, &t, dpl);
    return call_same_level(v, &t);
}
