/*
 * Segmentation: explicit accesses through a segment, descriptors, loads of data segment registers.
 *
 * Intel SDM vol. 3A sections 3.4 (segments), 5.3-5.7 (limit, type, privilege checks); vol. 2A/2B
 * LDS/MOV/POP; vol. 3B chapter 20 (real-address and virtual-8086 mode).
 *
 * Invariant: a usable hidden part has P set and, for code and data, A set.
 */
#include "vmm/segment.h"

#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/recall.h"

/* -- explicit accesses -- */

bool segment_span_ok(const struct seg *s, gva_t off, uint32_t n) {
    uint32_t last = off + (n - 1);

    if ((s->attr & (SEG_CODE | SEG_E)) == SEG_E) {
        uint32_t top = s->attr & SEG_DB ? 0xffffffffu : 0xffffu;
        return off > s->limit && last <= top && last >= off;
    }
    if (s->limit == 0xffffffffu)
        return true;
    return last <= s->limit && last >= off;
}

static bool type_ok(const struct vcpu *v, const struct seg *s, bool write) {
    if (!(s->attr & SEG_P))
        return false;
    if (!(v->cr0 & CR0_PE))
        return true;
    if (write)
        return attr_is_writable_data(s->attr);
    return (s->attr & (SEG_CODE | SEG_W)) != SEG_CODE;
}

/* The boundary that SDM table 6-7 wants for an operand of n bytes: words to x87 extended, 48-bit
 * far pointers, FSTENV's and FSAVE's areas, SSE operands. */
static unsigned natural_boundary(uint32_t n) {
    switch (n) {
    case 2:
    case 14:
    case 94:
        return 2;
    case 4:
    case 6:
    case 28:
    case 108:
        return 4;
    case 8:
    case 10:
        return 8;
    case 16:
        return 16;
    default:
        return 1;
    }
}

bool cpu_checks_alignment(const struct vcpu *v) {
    return (v->sysflags & EFL_AC) && v->cpl == 3 && (v->cr0 & CR0_AM);
}

bool cpu_linear_parts(struct vcpu *v, unsigned sreg, gva_t off, uint32_t n, unsigned part,
                      bool write, gla_t *gla) {
    const struct seg *s = &v->seg[sreg];

    if (!type_ok(v, s, write) || !segment_span_ok(s, off, n))
        return vcpu_raise_error(v, sreg == SEG_SS ? VEC_SS : VEC_GP, 0);
    *gla = s->base + off;
    if (cpu_checks_alignment(v) && (*gla & (part - 1)))
        return vcpu_raise_error(v, VEC_AC, 0);
    return true;
}

bool cpu_linear(struct vcpu *v, unsigned sreg, gva_t off, uint32_t n, bool write, gla_t *gla) {
    return cpu_linear_parts(v, sreg, off, n, natural_boundary(n), write, gla);
}

bool cpu_read_parts(struct vcpu *v, unsigned sreg, gva_t off, void *buf, uint32_t n,
                    unsigned part) {
    gla_t gla;

    if (!cpu_linear_parts(v, sreg, off, n, part, false, &gla) ||
        !mmu_read(v, gla, buf, n, vcpu_user(v)))
        return false;
    debug_note_access(v, gla, n, false);
    return true;
}

bool cpu_read(struct vcpu *v, unsigned sreg, gva_t off, void *buf, uint32_t n) {
    return cpu_read_parts(v, sreg, off, buf, n, natural_boundary(n));
}

bool cpu_write(struct vcpu *v, unsigned sreg, gva_t off, const void *buf, uint32_t n) {
    gla_t gla;

    if (!cpu_linear(v, sreg, off, n, true, &gla) || !mmu_write(v, gla, buf, n, vcpu_user(v)))
        return false;
    debug_note_access(v, gla, n, true);
    return true;
}

/* -- descriptors -- */

gla_t segment_desc_gla(const struct vcpu *v, uint16_t sel) {
    return (sel & 4u ? v->ldtr.base : v->gdtr.base) + (sel & 0xfff8u);
}

bool cpu_desc_read(struct vcpu *v, uint16_t sel, struct desc *d, unsigned vector, unsigned ext) {
    bool local = sel & 4u;
    uint32_t limit = local ? v->ldtr.limit : v->gdtr.limit;

    if ((local && !(v->ldtr.attr & SEG_P)) || (sel | 7u) > limit)
        return segment_fault(v, vector, sel, ext);
    return mmu_read(v, segment_desc_gla(v, sel), d, sizeof *d, false);
}

void cpu_desc_unpack(uint16_t sel, const struct desc *d, struct seg *out) {
    uint32_t limit = (d->lo & 0xffffu) | (d->hi & 0xf0000u);

    out->sel = sel;
    out->attr = (uint16_t)((d->hi >> 8) & 0xf0ffu);
    out->base = (d->lo >> 16) | ((d->hi & 0xffu) << 16) | (d->hi & 0xff000000u);
    out->limit = out->attr & SEG_G ? (limit << 12) | 0xfffu : limit;
}

bool segment_fetch(struct vcpu *v, uint16_t sel, struct seg *out, unsigned vector, unsigned ext) {
    struct desc d;

    if (!cpu_desc_read(v, sel, &d, vector, ext))
        return false;
    cpu_desc_unpack(sel, &d, out);
    return true;
}

bool segment_set_accessed(struct vcpu *v, struct seg *s) {
    if (s->attr & SEG_A)
        return true;
    s->attr |= SEG_A;
    return mmu_write8(v, segment_desc_gla(v, s->sel) + 5, (uint8_t)s->attr, false);
}

/* -- paragraph modes -- */

void segment_v86(uint16_t sel, struct seg *out) {
    out->sel = sel;
    out->base = (uint32_t)sel << 4;
    out->limit = 0xffff;
    out->attr = SEG_P | SEG_DPL | SEG_S | SEG_W | SEG_A;
}

void segment_paragraph(const struct vcpu *v, unsigned sreg, uint16_t sel, struct seg *out) {
    if (v->sysflags & EFL_VM) {
        segment_v86(sel, out);
        return;
    }
    /* Limit and size stay what protected mode left: "big real mode". */
    *out = v->seg[sreg];
    if (!(out->attr & SEG_P)) {
        out->attr = 0;
        out->limit = 0xffff;
    }
    out->attr = (out->attr & (SEG_DB | SEG_G)) | SEG_P | SEG_S | SEG_W | SEG_A;
    out->sel = sel;
    out->base = (uint32_t)sel << 4;
}

/* -- loads -- */

static bool fetch_ss(struct vcpu *v, uint16_t sel, struct seg *s) {
    if (sel_is_null(sel))
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!segment_fetch(v, sel, s, VEC_GP, 0))
        return false;
    if (sel_rpl(sel) != v->cpl || !attr_is_writable_data(s->attr) || attr_dpl(s->attr) != v->cpl)
        return segment_fault(v, VEC_GP, sel, 0);
    if (!(s->attr & SEG_P))
        return segment_fault(v, VEC_SS, sel, 0);
    return segment_set_accessed(v, s);
}

static bool fetch_data(struct vcpu *v, uint16_t sel, struct seg *s) {
    if (sel_is_null(sel)) {
        *s = (struct seg){.sel = sel};
        return true;
    }
    if (!segment_fetch(v, sel, s, VEC_GP, 0))
        return false;

    bool readable = (s->attr & SEG_S) && (s->attr & (SEG_CODE | SEG_W)) != SEG_CODE;
    bool conforming = attr_is_code(s->attr) && attr_is_conforming(s->attr);
    unsigned dpl = attr_dpl(s->attr);

    if (!readable || (!conforming && (sel_rpl(sel) > dpl || v->cpl > dpl)))
        return segment_fault(v, VEC_GP, sel, 0);
    if (!(s->attr & SEG_P))
        return segment_fault(v, VEC_NP, sel, 0);
    return segment_set_accessed(v, s);
}

bool cpu_load_seg(struct vcpu *v, unsigned sreg, uint16_t sel) {
    struct seg s;

    if (cpu_paragraph_mode(v))
        segment_paragraph(v, sreg, sel, &s);
    else if (!(sreg == SEG_SS ? fetch_ss(v, sel, &s) : fetch_data(v, sel, &s)))
        return false;
    vcpu_set_seg(v, sreg, &s);
    recall_note_load(v, sreg);
    return true;
}

void segment_drop_privileged(struct vcpu *v, unsigned cpl) {
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    static const struct seg null = {0};

    for (unsigned i = 0; i < sizeof data; i++) {
        uint16_t attr = v->seg[data[i]].attr;
        bool conforming = attr_is_code(attr) && attr_is_conforming(attr);

        if ((attr & SEG_P) && attr_dpl(attr) < cpl && !conforming)
            vcpu_set_seg(v, data[i], &null);
    }
}

/* -- checks shared by transfers -- */

bool segment_fetch_return_cs(struct vcpu *v, uint16_t sel, struct seg *cs) {
    unsigned rpl = sel_rpl(sel);

    if (sel_is_null(sel))
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!segment_fetch(v, sel, cs, VEC_GP, 0))
        return false;

    unsigned dpl = attr_dpl(cs->attr);

    if (!attr_is_code(cs->attr) || rpl < v->cpl ||
        (attr_is_conforming(cs->attr) ? dpl > rpl : dpl != rpl))
        return segment_fault(v, VEC_GP, sel, 0);
    if (!(cs->attr & SEG_P))
        return segment_fault(v, VEC_NP, sel, 0);
    return segment_set_accessed(v, cs);
}

bool segment_fetch_return_ss(struct vcpu *v, uint16_t sel, unsigned cpl, struct seg *ss) {
    if (sel_is_null(sel))
        return vcpu_raise_error(v, VEC_GP, 0);
    if (!segment_fetch(v, sel, ss, VEC_GP, 0))
        return false;
    if (sel_rpl(sel) != cpl || !attr_is_writable_data(ss->attr) || attr_dpl(ss->attr) != cpl)
        return segment_fault(v, VEC_GP, sel, 0);
    if (!(ss->attr & SEG_P))
        return segment_fault(v, VEC_SS, sel, 0);
    return segment_set_accessed(v, ss);
}

/* The pair as the TSS holds it (SDM vol. 3A figures 7-2 and 7-10). */
static bool read_tss_stack(struct vcpu *v, unsigned cpl, unsigned ext, uint16_t *sel,
                           uint32_t *esp) {
    bool wide = v->tr.attr & SYS_WIDE_BIT;
    uint32_t off = wide ? cpl * 8 + 4 : cpl * 4 + 2;
    uint32_t size = wide ? 6 : 4;
    uint32_t pair[2] = {0, 0};

    if (!(v->tr.attr & SEG_P) || off + size - 1 > v->tr.limit)
        return segment_fault(v, VEC_TS, v->tr.sel, ext);
    if (!mmu_read(v, v->tr.base + off, pair, size, false))
        return false;
    *esp = wide ? pair[0] : pair[0] & 0xffffu;
    *sel = (uint16_t)(wide ? pair[1] : pair[0] >> 16);
    return true;
}

bool segment_fetch_tss_stack(struct vcpu *v, unsigned cpl, unsigned ext, struct seg *ss,
                             uint32_t *esp) {
    uint16_t sel;

    if (!read_tss_stack(v, cpl, ext, &sel, esp))
        return false;
    if (sel_is_null(sel))
        return segment_fault(v, VEC_TS, 0, ext);
    if (!segment_fetch(v, sel, ss, VEC_TS, ext))
        return false;
    if (sel_rpl(sel) != cpl || attr_dpl(ss->attr) != cpl || !attr_is_writable_data(ss->attr))
        return segment_fault(v, VEC_TS, sel, ext);
    if (!(ss->attr & SEG_P))
        return segment_fault(v, VEC_SS, sel, ext);
    return segment_set_accessed(v, ss);
}
