/*
 * Descriptor-table registers: LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR.
 *
 * Intel SDM vol. 3A section 2.4, 2.6, vol. 2A/2B. The stores are not privileged (no UMIP).
 */
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/recall.h"
#include "vmm/segment.h"

/* -- GDTR and IDTR -- */

struct pseudo_descriptor {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

/* With a 16-bit operand the base has 24 bits. */
static enum callout_result load_table(struct vcpu *v, uint64_t arg, struct dtable *table) {
    struct pseudo_descriptor p;

    if (!CO_IS_MEM(arg))
        return callout_raise(v, VEC_UD);
    if (!callout_need_cpl0(v) || !cpu_read(v, CO_SEG(arg), v->ea, &p, sizeof p))
        return CALLOUT_EXIT;
    table->limit = p.limit;
    table->base = CO_OPSIZE(arg) == 2 ? p.base & 0x00ffffffu : p.base;
    recall_tables_loaded(v);
    return CALLOUT_NEXT;
}

/* All 32 bits of the base at any operand size, as every CPU since the 386 does. */
static enum callout_result store_table(struct vcpu *v, uint64_t arg, const struct dtable *table) {
    struct pseudo_descriptor p = {table->limit, table->base};

    if (!CO_IS_MEM(arg))
        return callout_raise(v, VEC_UD);
    return cpu_write(v, CO_SEG(arg), v->ea, &p, sizeof p) ? callout_wrote(v) : CALLOUT_EXIT;
}

enum callout_result callout_lgdt(struct vcpu *v, uint64_t arg) {
    return load_table(v, arg, &v->gdtr);
}

enum callout_result callout_lidt(struct vcpu *v, uint64_t arg) {
    return load_table(v, arg, &v->idtr);
}

enum callout_result callout_sgdt(struct vcpu *v, uint64_t arg) {
    return store_table(v, arg, &v->gdtr);
}

enum callout_result callout_sidt(struct vcpu *v, uint64_t arg) {
    return store_table(v, arg, &v->idtr);
}

/* -- LDTR and TR -- */

/* Reads a system descriptor from the GDT. False: #GP(sel) or #PF pending. */
static bool fetch_system(struct vcpu *v, uint16_t sel, struct seg *s) {
    if (sel & 4u)
        return segment_fault(v, VEC_GP, sel, 0);
    return segment_fetch(v, sel, s, VEC_GP, 0);
}

enum callout_result callout_lldt(struct vcpu *v, uint64_t arg) {
    uint16_t sel;
    struct seg ldt;

    if (!callout_need_protected(v) || !callout_need_cpl0(v) || !callout_read_rm16(v, arg, &sel))
        return CALLOUT_EXIT;
    if (sel_is_null(sel)) {
        v->ldtr = (struct seg){.sel = sel};
        return CALLOUT_NEXT;
    }
    if (!fetch_system(v, sel, &ldt))
        return CALLOUT_EXIT;
    if (attr_system_type(ldt.attr) != SYS_LDT) {
        segment_fault(v, VEC_GP, sel, 0);
        return CALLOUT_EXIT;
    }
    if (!(ldt.attr & SEG_P)) {
        segment_fault(v, VEC_NP, sel, 0);
        return CALLOUT_EXIT;
    }
    v->ldtr = ldt;
    return CALLOUT_NEXT;
}

enum callout_result callout_ltr(struct vcpu *v, uint64_t arg) {
    uint16_t sel;
    struct seg tss;

    if (!callout_need_protected(v) || !callout_need_cpl0(v) || !callout_read_rm16(v, arg, &sel))
        return CALLOUT_EXIT;
    if (sel_is_null(sel))
        return callout_raise_error(v, VEC_GP, 0);
    if (!fetch_system(v, sel, &tss))
        return CALLOUT_EXIT;

    unsigned type = attr_system_type(tss.attr);

    if (type != SYS_TSS16 && type != SYS_TSS32) {
        segment_fault(v, VEC_GP, sel, 0);
        return CALLOUT_EXIT;
    }
    if (!(tss.attr & SEG_P)) {
        segment_fault(v, VEC_NP, sel, 0);
        return CALLOUT_EXIT;
    }
    tss.attr |= SYS_TSS_BUSY_BIT;
    if (!mmu_write8(v, segment_desc_gla(v, sel) + 5, (uint8_t)tss.attr, false))
        return CALLOUT_EXIT;
    v->tr = tss;
    recall_tables_loaded(v);
    return callout_wrote(v);
}

/* 16 bits to memory, zero-extended to a 32-bit register. */
static enum callout_result store_selector(struct vcpu *v, uint64_t arg, uint16_t sel) {
    if (!callout_need_protected(v))
        return CALLOUT_EXIT;
    if (CO_IS_MEM(arg))
        return cpu_write(v, CO_SEG(arg), v->ea, &sel, 2) ? callout_wrote(v) : CALLOUT_EXIT;
    callout_set_reg(v, CO_RM(arg), sel, CO_OPSIZE(arg));
    return CALLOUT_NEXT;
}

enum callout_result callout_sldt(struct vcpu *v, uint64_t arg) {
    return store_selector(v, arg, v->ldtr.sel);
}

enum callout_result callout_str(struct vcpu *v, uint64_t arg) {
    return store_selector(v, arg, v->tr.sel);
}
