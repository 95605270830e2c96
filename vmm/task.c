/*
 * Hardware task switches, 32- and 16-bit TSS.
 *
 * Intel SDM vol. 3A chapter 7: 7.2 (TSS and its descriptor), 7.3 (the steps, followed in order
 * below), 7.4 (links, table 7-2).
 *
 * The TSS of the new task is read with one access and all places to be written are probed; from
 * the commit point on, faults belong to the new task.
 */
#include "vmm/task.h"

#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/recall.h"
#include "vmm/segment.h"

enum { TSS32_BYTES = 0x68, TSS16_BYTES = 0x2c };
/* What a switch saves: from EIP/IP to the last segment register. */
enum { TSS32_SAVED = 0x20, TSS32_SAVED_BYTES = 0x40, TSS16_SAVED = 0x0e, TSS16_SAVED_BYTES = 0x1c };

static const uint8_t seg32[] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
static const uint8_t seg16[] = {SEG_ES, SEG_CS, SEG_SS, SEG_DS};

/* A task's registers as its TSS holds them. */
struct context {
    uint32_t eip, eflags, gpr[8];
    uint32_t cr3;
    uint16_t sel[SEG_COUNT];
    uint16_t ldt;
    bool trap; /* T bit: #DB after the switch */
    bool wide;
};

static uint16_t get16(const uint8_t *p) {
    uint16_t x;

    memcpy(&x, p, 2);
    return x;
}

static uint32_t get32(const uint8_t *p) {
    uint32_t x;

    memcpy(&x, p, 4);
    return x;
}

static bool is_wide(const struct seg *tss) {
    return tss->attr & SYS_WIDE_BIT;
}

static void unpack_context32(const uint8_t *tss, struct context *c) {
    c->cr3 = get32(tss + 0x1c);
    c->eip = get32(tss + 0x20);
    c->eflags = get32(tss + 0x24);
    for (unsigned i = 0; i < 8; i++)
        c->gpr[i] = get32(tss + 0x28 + 4 * i);
    for (unsigned i = 0; i < sizeof seg32; i++)
        c->sel[seg32[i]] = get16(tss + 0x48 + 4 * i);
    c->ldt = get16(tss + 0x60);
    c->trap = tss[0x64] & 1u;
}

static void unpack_context16(const struct vcpu *v, const uint8_t *tss, struct context *c) {
    c->cr3 = v->cr3;
    c->eip = get16(tss + 0x0e);
    c->eflags = get16(tss + 0x10);
    for (unsigned i = 0; i < 8; i++)
        c->gpr[i] = 0xffff0000u | get16(tss + 0x12 + 2 * i);
    for (unsigned i = 0; i < sizeof seg16; i++)
        c->sel[seg16[i]] = get16(tss + 0x22 + 2 * i);
    c->sel[SEG_FS] = 0;
    c->sel[SEG_GS] = 0;
    c->ldt = get16(tss + 0x2a);
    c->trap = false;
}

/* -- step by step -- */

/* Selector to usable TSS descriptor. */
static bool fetch_tss(struct vcpu *v, uint16_t sel, enum task_source source, unsigned ext,
                      struct seg *tss) {
    unsigned vector = source == TASK_IRET ? VEC_TS : VEC_GP;

    if ((sel & 4u) || sel_is_null(sel))
        return segment_fault(v, vector, sel, ext);
    if (!segment_fetch(v, sel, tss, vector, ext))
        return false;

    unsigned type = attr_system_type(tss->attr) & ~SYS_WIDE_BIT;

    if (type != (source == TASK_IRET ? SYS_TSS16_BUSY : SYS_TSS16))
        return segment_fault(v, vector, sel, ext);
    if (!(tss->attr & SEG_P))
        return segment_fault(v, VEC_NP, sel, ext);
    if (tss->limit < (is_wide(tss) ? TSS32_BYTES : TSS16_BYTES) - 1u)
        return segment_fault(v, VEC_TS, sel, ext);
    return true;
}

static bool probe_busy(struct vcpu *v, uint16_t sel) {
    return mmu_probe(v, segment_desc_gla(v, sel) + 5, 1, MMU_R | MMU_W);
}

/* All memory the switch will write. */
static bool probe_writes(struct vcpu *v, const struct seg *to, enum task_source source) {
    const struct seg *from = &v->tr;
    uint32_t off = is_wide(from) ? TSS32_SAVED : TSS16_SAVED;
    uint32_t size = is_wide(from) ? TSS32_SAVED_BYTES : TSS16_SAVED_BYTES;
    bool link = source == TASK_CALL || source == TASK_EVENT;

    return mmu_probe(v, from->base + off, size, MMU_W) &&
           (!link || mmu_probe(v, to->base, 2, MMU_W)) && probe_busy(v, to->sel) &&
           probe_busy(v, from->sel);
}

static bool set_busy(struct vcpu *v, uint16_t sel, bool busy) {
    gla_t gla = segment_desc_gla(v, sel) + 5;
    uint8_t type;

    if (!mmu_read8(v, gla, &type, false))
        return false;
    type = (uint8_t)(busy ? type | SYS_TSS_BUSY_BIT : type & ~SYS_TSS_BUSY_BIT);
    return mmu_write8(v, gla, type, false);
}

static bool save_context(struct vcpu *v, uint32_t eip, uint32_t eflags) {
    uint8_t bytes[TSS32_SAVED_BYTES] = {0};

    if (is_wide(&v->tr)) {
        memcpy(bytes, &eip, 4);
        memcpy(bytes + 4, &eflags, 4);
        memcpy(bytes + 8, v->gpr, sizeof v->gpr);
        for (unsigned i = 0; i < sizeof seg32; i++)
            memcpy(bytes + 0x28 + 4 * i, &v->seg[seg32[i]].sel, 2);
        return mmu_write(v, v->tr.base + TSS32_SAVED, bytes, TSS32_SAVED_BYTES, false);
    }
    memcpy(bytes, &eip, 2);
    memcpy(bytes + 2, &eflags, 2);
    for (unsigned i = 0; i < 8; i++)
        memcpy(bytes + 4 + 2 * i, &v->gpr[i], 2);
    for (unsigned i = 0; i < sizeof seg16; i++)
        memcpy(bytes + 0x14 + 2 * i, &v->seg[seg16[i]].sel, 2);
    return mmu_write(v, v->tr.base + TSS16_SAVED, bytes, TSS16_SAVED_BYTES, false);
}

/* -- the new task's segments: faults are its own -- */

/* Until a selector is checked the register holds it with an unusable hidden part. */
static void load_selectors(struct vcpu *v, const struct context *c) {
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct seg raw = {.sel = c->sel[i]};

        vcpu_set_seg(v, i, &raw);
    }
    v->ldtr = (struct seg){.sel = c->ldt};
}

static bool load_ldt(struct vcpu *v, unsigned ext) {
    uint16_t sel = v->ldtr.sel;
    struct seg ldt;

    if (sel_is_null(sel))
        return true;
    if (sel & 4u)
        return segment_fault(v, VEC_TS, sel, ext);
    if (!segment_fetch(v, sel, &ldt, VEC_TS, ext))
        return false;
    if (attr_system_type(ldt.attr) != SYS_LDT || !(ldt.attr & SEG_P))
        return segment_fault(v, VEC_TS, sel, ext);
    v->ldtr = ldt;
    return true;
}

static bool load_code(struct vcpu *v, unsigned ext) {
    uint16_t sel = v->seg[SEG_CS].sel;
    struct seg cs;

    if (sel_is_null(sel))
        return segment_fault(v, VEC_TS, sel, ext);
    if (!segment_fetch(v, sel, &cs, VEC_TS, ext))
        return false;

    unsigned dpl = attr_dpl(cs.attr);

    if (!attr_is_code(cs.attr) ||
        (attr_is_conforming(cs.attr) ? dpl > sel_rpl(sel) : dpl != sel_rpl(sel)))
        return segment_fault(v, VEC_TS, sel, ext);
    if (!(cs.attr & SEG_P))
        return segment_fault(v, VEC_NP, sel, ext);
    if (!segment_set_accessed(v, &cs))
        return false;
    vcpu_set_seg(v, SEG_CS, &cs);
    return true;
}

static bool load_stack(struct vcpu *v, unsigned ext) {
    uint16_t sel = v->seg[SEG_SS].sel;
    struct seg ss;

    if (sel_is_null(sel))
        return segment_fault(v, VEC_TS, sel, ext);
    if (!segment_fetch(v, sel, &ss, VEC_TS, ext))
        return false;
    if (!attr_is_writable_data(ss.attr) || attr_dpl(ss.attr) != v->cpl || sel_rpl(sel) != v->cpl)
        return segment_fault(v, VEC_TS, sel, ext);
    if (!(ss.attr & SEG_P))
        return segment_fault(v, VEC_SS, sel, ext);
    if (!segment_set_accessed(v, &ss))
        return false;
    vcpu_set_seg(v, SEG_SS, &ss);
    return true;
}

static bool load_data(struct vcpu *v, unsigned sreg, unsigned ext) {
    if (cpu_load_seg(v, sreg, v->seg[sreg].sel))
        return true;
    /* What MOV finds as #GP is an invalid TSS here. */
    if (v->exc.vector == VEC_GP)
        v->exc.vector = VEC_TS;
    if (v->exc.vector != VEC_PF)
        v->exc.error |= ext;
    return false;
}

static bool load_segments(struct vcpu *v, unsigned ext) {
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    if (!load_ldt(v, ext))
        return false;
    if (v->sysflags & EFL_VM) {
        for (unsigned i = 0; i < SEG_COUNT; i++) {
            struct seg s;

            segment_v86(v->seg[i].sel, &s);
            vcpu_set_seg(v, i, &s);
        }
        return true;
    }
    if (!load_code(v, ext) || !load_stack(v, ext))
        return false;
    for (unsigned i = 0; i < sizeof data; i++) {
        if (!load_data(v, data[i], ext))
            return false;
    }
    return true;
}

/* -- the switch -- */

/* Writes the old TSS, the link and the busy bits, then TR. The writes were probed; they fail only
 * in a guest whose TSS lies in its own page tables, before any register has changed. */
static bool commit(struct vcpu *v, const struct seg *to, enum task_source source, uint32_t eip,
                   uint32_t eflags) {
    bool nests = source == TASK_CALL || source == TASK_EVENT;
    uint16_t link = v->tr.sel;

    if (!save_context(v, eip, source == TASK_IRET ? eflags & ~EFL_NT : eflags))
        return false;
    if (nests ? !mmu_write16(v, to->base, link, false) : !set_busy(v, v->tr.sel, false))
        return false;
    if (source != TASK_IRET && !set_busy(v, to->sel, true))
        return false;

    v->tr = *to;
    recall_tables_loaded(v);
    v->tr.attr |= SYS_TSS_BUSY_BIT;
    return true;
}

/* Paging of the new task; the PDPTEs of a bad CR3 fault in it. */
static bool load_cr3(struct vcpu *v, const struct context *c, unsigned ext) {
    if (!c->wide || !(v->cr0 & CR0_PG) || c->cr3 == v->cr3)
        return true;
    if ((v->cr4 & CR4_PAE) && !mmu_load_pdpte(v, c->cr3))
        return segment_fault(v, VEC_TS, v->tr.sel, ext);
    v->cr3 = c->cr3;
    mmu_cr3_loaded(v);
    return true;
}

static bool start(struct vcpu *v, const struct context *c, enum task_source source, unsigned ext) {
    bool nests = source == TASK_CALL || source == TASK_EVENT;
    uint32_t eflags = c->eflags;

    memcpy(v->gpr, c->gpr, sizeof v->gpr);
    v->eip = c->eip;
    vcpu_set_eflags(v, nests ? eflags | EFL_NT : eflags, c->wide ? ~0u : 0xffffu | EFL_VM | EFL_RF);
    v->cpl = v->sysflags & EFL_VM ? 3 : (uint8_t)sel_rpl(c->sel[SEG_CS]);
    v->cr0 |= CR0_TS;
    v->dr[7] &= ~0x155u; /* local breakpoints end with their task */
    debug_dr7_changed(v);
    load_selectors(v, c);
    if (!load_cr3(v, c, ext) || !load_segments(v, ext))
        return false;
    if (v->eip > v->seg[SEG_CS].limit)
        return vcpu_raise_error(v, VEC_GP, ext);
    if (c->trap)
        debug_raise_switched(v, source != TASK_EVENT);
    return true;
}

bool task_switch(struct vcpu *v, uint16_t sel, enum task_source source, unsigned ext, uint32_t eip,
                 uint32_t eflags) {
    uint8_t bytes[TSS32_BYTES];
    struct context c;
    struct seg to;

    if (!fetch_tss(v, sel, source, ext, &to))
        return false;
    c.wide = is_wide(&to);
    if (!mmu_read(v, to.base, bytes, c.wide ? TSS32_BYTES : TSS16_BYTES, false))
        return false;
    /* The outgoing task's TSS may be smaller than the state to be saved in it. */
    if (!(v->tr.attr & SEG_P) || v->tr.limit < (is_wide(&v->tr) ? TSS32_SAVED + TSS32_SAVED_BYTES
                                                                : TSS16_SAVED + TSS16_SAVED_BYTES) -
                                                   1u)
        return segment_fault(v, VEC_TS, v->tr.sel, ext);
    if (!probe_writes(v, &to, source))
        return false;
    if (c.wide)
        unpack_context32(bytes, &c);
    else
        unpack_context16(v, bytes, &c);
    return commit(v, &to, source, eip, eflags) && start(v, &c, source, ext);
}

bool task_push_error(struct vcpu *v, uint32_t error, unsigned ext) {
    if (cpu_push(v, error, is_wide(&v->tr) ? 4 : 2))
        return true;
    if (v->exc.vector == VEC_SS)
        v->exc.error |= ext;
    return false;
}
