/*
 * Transfers whose descriptors are those of the last time (recall.h).
 *
 * Intel SDM vol. 3A sections 6.12 (gates, stack switch), vol. 2A INT n and IRET, vol. 3A
 * section 5.6 (checks of segment loads).
 *
 * What an entry's bytes imply, they imply again: type, DPL, limit, accessed bit. What they do not
 * imply is looked at here: CPL, EFLAGS, the limits of the tables, the TSS, the stack. Memory is
 * reached by the software TLB alone, so nothing here can fault.
 */
#include "vmm/recall.h"

#include "host/host.h"
#include "mmu/tlb.h"
#include "vmm/interrupt.h"
#include "vmm/segment.h"

#define SELECTOR_TI 4u

enum { GATE_DPL_SHIFT = 45, INT_FRAME = 20 };

static struct recall_gate *gate_of(struct vcpu *v, unsigned vector) {
    return &v->recall_gate[(vector ^ vector >> 4) % RECALL_GATES];
}

/* n bytes at gla, all on one page that the supervisor's TLB knows; NULL: not so. */
static inline uint8_t *reach(const struct vcpu *v, gla_t gla, uint32_t n, bool write) {
    if ((gla & ~PAGE_MASK) > PAGE_SIZE - n)
        return NULL;
    return tlb_lookup(v, gla, false, write);
}

static inline bool load(const uint8_t *at, uint64_t *out) {
    if (!at)
        return false;
    memcpy(out, at, sizeof *out);
    return true;
}

static inline bool holds(const uint8_t *at, uint64_t want) {
    uint64_t now;

    return load(at, &now) && now == want;
}

/* Where the GDT has the descriptor that sel names, and the IDT the gate of a vector. NULL: not
 * within the limit, or not to be reached. */
static const uint8_t *descriptor_at(const struct vcpu *v, uint16_t sel) {
    return (sel | 7u) <= v->gdtr.limit ? reach(v, v->gdtr.base + (sel & 0xfff8u), 8, false) : NULL;
}

static const uint8_t *gate_at(const struct vcpu *v, unsigned vector) {
    return vector * 8 + 7 <= v->idtr.limit ? reach(v, v->idtr.base + vector * 8, 8, false) : NULL;
}

/* Where the TSS has SS0:ESP0, eight bytes. */
static const uint8_t *stack0_at(const struct vcpu *v) {
    enum { STACK0 = 4, STACK0_BYTES = 6 };

    if ((v->tr.attr & (SEG_P | SYS_WIDE_BIT)) != (SEG_P | SYS_WIDE_BIT) ||
        v->tr.limit < STACK0 + STACK0_BYTES - 1)
        return NULL;
    return reach(v, v->tr.base + STACK0, 8, false);
}

/* An entry is made from what memory holds behind the transfer, which may have written to the tables
 * itself: the hidden part must be what this descriptor gives, accessed bit and all. */
static bool comes_from(const struct seg *s, uint64_t descriptor) {
    struct desc d = {(uint32_t)descriptor, (uint32_t)(descriptor >> 32)};
    struct seg now;

    cpu_desc_unpack(s->sel, &d, &now);
    return now.attr == s->attr && now.base == s->base && now.limit == s->limit && s->attr & SEG_A;
}

/* A stack that ESP alone addresses, anywhere. */
static inline bool flat_stack(const struct seg *ss) {
    return ss->base == 0 && ss->limit == UINT32_MAX && ss->attr & SEG_DB &&
           (ss->attr & (SEG_P | SEG_E)) == SEG_P;
}

/* Not watched, not virtual-8086: what all entries take for granted. */
static inline bool plain(const struct vcpu *v) {
    return !(v->sysflags & EFL_VM) && !v->watching;
}

/* -- events -- */

static inline uint8_t *put(uint8_t *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static bool locate_gate(struct vcpu *v, struct recall_gate *g) {
    g->gate_at = gate_at(v, g->vector);
    g->code_at = descriptor_at(v, g->cs.sel);
    g->stack_at = descriptor_at(v, g->ss.sel);
    g->tss_at = stack0_at(v);
    g->epoch = v->tables_epoch;
    return g->gate_at && g->code_at && g->stack_at && g->tss_at;
}

bool recall_deliver(struct vcpu *v, const struct interrupt_event *e) {
    struct recall_gate *g = gate_of(v, e->vector);
    uint32_t n = e->has_error ? INT_FRAME + 4 : INT_FRAME;
    uint64_t stack;

    if (g->vector != e->vector || g->gate == 0 || v->cpl != 3 || !plain(v))
        return false;
    if (g->epoch != v->tables_epoch && !locate_gate(v, g))
        return false;
    if (!holds(g->gate_at, g->gate) || !holds(g->code_at, g->code) ||
        !holds(g->stack_at, g->stack) || !load(g->tss_at, &stack) ||
        (uint16_t)(stack >> 32) != g->ss.sel ||
        (e->software && (g->gate >> GATE_DPL_SHIFT & 3) != 3))
        return false;
    uint32_t esp = (uint32_t)stack - n;
    uint8_t *frame = reach(v, esp, n, true);
    if (!frame)
        return false;

    if (e->has_error)
        frame = put(frame, e->error);
    frame = put(frame, e->eip);
    frame = put(frame, v->seg[SEG_CS].sel);
    frame = put(frame, e->image);
    frame = put(frame, v->gpr[ESP]);
    put(frame, v->seg[SEG_SS].sel);
    vcpu_set_keyed_seg(v, SEG_CS, &g->cs);
    vcpu_set_keyed_seg(v, SEG_SS, &g->ss);
    v->gpr[ESP] = esp;
    v->cpl = 0;
    v->eip = g->eip;
    vcpu_update_eflags(v, 0, EFL_TF | EFL_NT | EFL_RF | EFL_VM | (g->close ? EFL_IF : 0));
    return true;
}

void recall_note_gate(struct vcpu *v, unsigned vector, unsigned from) {
    const struct seg *cs = &v->seg[SEG_CS], *ss = &v->seg[SEG_SS];
    struct recall_gate g = {.cs = *cs, .ss = *ss, .eip = v->eip, .vector = (uint16_t)vector};

    if (from != 3 || v->cpl != 0 || !(v->cr0 & CR0_PE) || !flat_stack(ss) ||
        (ss->sel & SELECTOR_TI) || !load(gate_at(v, vector), &g.gate) ||
        !load(descriptor_at(v, ss->sel), &g.stack))
        return;
    /* the gate's selector; CS has CPL in the place of its RPL */
    uint16_t sel = (uint16_t)(g.gate >> 16);
    uint32_t eip = (uint32_t)(g.gate & 0xffff) | ((uint32_t)(g.gate >> 32) & 0xffff0000u);
    uint16_t attr = (uint16_t)(g.gate >> 40 & 0xff);
    unsigned type = attr_system_type(attr);
    if ((type | 1u) != SYS_TRAP32 || !(attr & SEG_P) || eip != v->eip || (sel & SELECTOR_TI) ||
        ((sel ^ cs->sel) & 0xfff8u) || !load(descriptor_at(v, sel), &g.code) ||
        !comes_from(cs, g.code) || !comes_from(ss, g.stack))
        return;
    g.close = type == SYS_INT32;
    *gate_of(v, vector) = g;
}

/* -- IRET -- */

/* Not for CPL 3 to keep, unless it is conforming code. */
static inline bool privileged(const struct seg *s) {
    uint16_t attr = s->attr & (SEG_P | SEG_DPL);

    return attr != (SEG_P | SEG_DPL) && attr & SEG_P;
}

bool recall_iret(struct vcpu *v) {
    struct recall_return *r = &v->recall_return;
    const uint8_t *at;
    uint32_t f[5]; /* EIP CS EFLAGS ESP SS */

    if (v->cpl != 0 || !(v->cr0 & CR0_PE) || v->sysflags & EFL_NT || !plain(v) ||
        !flat_stack(&v->seg[SEG_SS]))
        return false;
    at = reach(v, v->gpr[ESP], sizeof f, false);
    if (!at)
        return false;
    memcpy(f, at, sizeof f);
    if (r->code == 0 || (uint16_t)f[1] != r->cs.sel || (uint16_t)f[4] != r->ss.sel ||
        f[2] & EFL_VM || f[0] > r->cs.limit)
        return false;
    if (r->epoch != v->tables_epoch) {
        r->code_at = descriptor_at(v, r->cs.sel);
        r->stack_at = descriptor_at(v, r->ss.sel);
        r->epoch = v->tables_epoch;
    }
    if (!holds(r->code_at, r->code) || !holds(r->stack_at, r->stack))
        return false;
    vcpu_update_eflags(v, f[2],
                       EFL_ARITH | EFL_DF | EFL_TF | EFL_NT | EFL_RF | EFL_AC | EFL_ID | EFL_IF |
                           EFL_IOPL);
    vcpu_set_keyed_seg(v, SEG_CS, &r->cs);
    vcpu_set_keyed_seg(v, SEG_SS, &r->ss);
    v->gpr[ESP] = f[3];
    v->eip = f[0];
    v->cpl = 3;
    if (privileged(&v->seg[SEG_ES]) || privileged(&v->seg[SEG_DS]) || privileged(&v->seg[SEG_FS]) ||
        privileged(&v->seg[SEG_GS]))
        segment_drop_privileged(v, 3);
    return true;
}

void recall_note_iret(struct vcpu *v, unsigned from) {
    const struct seg *cs = &v->seg[SEG_CS], *ss = &v->seg[SEG_SS];
    struct recall_return r = {.cs = *cs, .ss = *ss};

    if (from != 0 || v->cpl != 3 || v->sysflags & EFL_VM || !flat_stack(ss) ||
        (cs->sel | ss->sel) & SELECTOR_TI || !load(descriptor_at(v, cs->sel), &r.code) ||
        !load(descriptor_at(v, ss->sel), &r.stack) || !comes_from(cs, r.code) ||
        !comes_from(ss, r.stack))
        return;
    v->recall_return = r;
}

/* -- loads of segment registers -- */

void recall_note_load(struct vcpu *v, unsigned sreg) {
    const struct seg *s = &v->seg[sreg];
    uint64_t desc;

    if (sreg < SEG_FS && segment_class(s, false) != SEGMENT_FLAT)
        return;
    if (!(s->attr & SEG_P) || (s->sel & SELECTOR_TI) || !(v->cr0 & CR0_PE) ||
        v->sysflags & EFL_VM || !load(descriptor_at(v, s->sel), &desc) || !comes_from(s, desc))
        return;
    v->recall_load[sreg] = (struct recall_load){
        .minus_sel = 0u - s->sel,
        .desc = segment_desc_gla(v, s->sel),
        .minus_desc = 0u - desc,
        .seg = *s,
        .base = s->base,
        .fs_gs_base = sreg >= SEG_FS ? v->fs_gs_base[sreg - SEG_FS] : 0,
    };
}

void recall_tables_loaded(struct vcpu *v) {
    v->tables_epoch++;
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        v->recall_load[sreg].minus_sel = 1;
}
