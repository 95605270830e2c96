/*
 * LAR, LSL, VERR, VERW, ARPL (Intel SDM vol. 3A section 5.10, vol. 2A/2B).
 *
 * A selector that does not lead to a suitable descriptor clears ZF instead of faulting; only the
 * operand and the descriptor table's pages can fault.
 */
#include "vmm/callout_priv.h"
#include "vmm/segment.h"

static void set_zf(struct vcpu *v, bool on) {
    v->flags = on ? v->flags | EFL_ZF : v->flags & ~EFL_ZF;
}

/* True when sel points into its table. */
static bool selector_in_table(const struct vcpu *v, uint16_t sel) {
    if (sel_is_null(sel))
        return false;
    if (!(sel & 4u))
        return (sel | 7u) <= v->gdtr.limit;
    return (v->ldtr.attr & SEG_P) && (sel | 7u) <= v->ldtr.limit;
}

struct candidate {
    bool found;
    struct desc desc;
    struct seg seg;
    uint16_t sel;
};

/* Reads the operand's selector and, if there is one, its descriptor. False: fault pending. */
static bool fetch(struct vcpu *v, uint64_t arg, struct candidate *c) {
    if (!callout_need_protected(v) || !callout_read_rm16(v, arg, &c->sel))
        return false;
    c->found = selector_in_table(v, c->sel);
    if (!c->found)
        return true;
    if (!cpu_desc_read(v, c->sel, &c->desc, VEC_GP, 0))
        return false;
    cpu_desc_unpack(c->sel, &c->desc, &c->seg);
    return true;
}

/* Could the current code, with the selector's RPL, use the descriptor? */
static bool visible(const struct vcpu *v, const struct candidate *c) {
    unsigned dpl = attr_dpl(c->seg.attr);

    if (attr_is_code(c->seg.attr) && attr_is_conforming(c->seg.attr))
        return true;
    return v->cpl <= dpl && sel_rpl(c->sel) <= dpl;
}

/* -- LAR and LSL -- */

#define TYPE_BIT(t) (1u << (t))
#define LSL_TYPES                                                                                  \
    (TYPE_BIT(SYS_TSS16) | TYPE_BIT(SYS_LDT) | TYPE_BIT(SYS_TSS16_BUSY) | TYPE_BIT(SYS_TSS32) |    \
     TYPE_BIT(SYS_TSS32_BUSY))
#define LAR_TYPES                                                                                  \
    (LSL_TYPES | TYPE_BIT(SYS_CALL16) | TYPE_BIT(SYS_TASK_GATE) | TYPE_BIT(SYS_CALL32))

/* Sets ZF; true when the descriptor is one the instruction may look at. */
static bool accept(struct vcpu *v, const struct candidate *c, unsigned system_types) {
    bool ok = c->found && visible(v, c) &&
              ((c->seg.attr & SEG_S) || (TYPE_BIT(c->seg.attr & SEG_TYPE) & system_types));

    set_zf(v, ok);
    return ok;
}

/* Bits 19:16 of the result are undefined by the SDM; CPUs give the limit's, as here. */
enum callout_result callout_lar(struct vcpu *v, uint64_t arg) {
    struct candidate c;

    if (!fetch(v, arg, &c))
        return CALLOUT_EXIT;
    if (accept(v, &c, LAR_TYPES))
        callout_set_reg(v, CO_REG(arg), c.desc.hi & 0x00ffff00u, CO_OPSIZE(arg));
    return CALLOUT_NEXT;
}

enum callout_result callout_lsl(struct vcpu *v, uint64_t arg) {
    struct candidate c;

    if (!fetch(v, arg, &c))
        return CALLOUT_EXIT;
    if (accept(v, &c, LSL_TYPES))
        callout_set_reg(v, CO_REG(arg), c.seg.limit, CO_OPSIZE(arg));
    return CALLOUT_NEXT;
}

/* -- VERR and VERW -- */

enum callout_result callout_verr(struct vcpu *v, uint64_t arg) {
    struct candidate c;

    if (!fetch(v, arg, &c))
        return CALLOUT_EXIT;
    set_zf(v, c.found && (c.seg.attr & SEG_S) && visible(v, &c) &&
                  (c.seg.attr & (SEG_CODE | SEG_W)) != SEG_CODE);
    return CALLOUT_NEXT;
}

enum callout_result callout_verw(struct vcpu *v, uint64_t arg) {
    struct candidate c;

    if (!fetch(v, arg, &c))
        return CALLOUT_EXIT;
    set_zf(v, c.found && visible(v, &c) && attr_is_writable_data(c.seg.attr));
    return CALLOUT_NEXT;
}

/* -- ARPL -- */

enum callout_result callout_arpl(struct vcpu *v, uint64_t arg) {
    uint16_t sel;

    if (!callout_need_protected(v) || !callout_read_rm16(v, arg, &sel))
        return CALLOUT_EXIT;

    unsigned rpl = sel_rpl((uint16_t)v->gpr[CO_REG(arg)]);
    bool raise = sel_rpl(sel) < rpl;

    if (raise) {
        sel = (uint16_t)((sel & ~3u) | rpl);
        if (!CO_IS_MEM(arg))
            callout_set_reg(v, CO_RM(arg), sel, 2);
        else if (!cpu_write(v, CO_SEG(arg), v->ea, &sel, 2))
            return CALLOUT_EXIT;
    }
    set_zf(v, raise);
    return callout_wrote(v);
}
