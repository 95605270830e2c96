/*
 * What segment loads, far transfers, events and task switches share.
 * Intel SDM vol. 3A chapters 3, 5 and 7.
 */
#ifndef VMM_SEGMENT_H
#define VMM_SEGMENT_H

#include "vmm/cpu.h"

/* System descriptor types (SDM vol. 3A table 3-2). */
enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INT32 = 14,
    SYS_TRAP32 = 15
};
#define SYS_TSS_BUSY_BIT 2u /* what makes SYS_TSSn busy */
#define SYS_WIDE_BIT     8u /* 32-bit form of a gate or TSS */

static inline bool sel_is_null(uint16_t sel) {
    return (sel & 0xfffcu) == 0;
}

static inline unsigned sel_rpl(uint16_t sel) {
    return sel & 3u;
}

static inline unsigned attr_dpl(uint16_t attr) {
    return (attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

static inline bool attr_is_code(uint16_t attr) {
    return (attr & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}

/* Only meaningful for code. */
static inline bool attr_is_conforming(uint16_t attr) {
    return (attr & SEG_E) != 0;
}

static inline bool attr_is_writable_data(uint16_t attr) {
    return (attr & (SEG_S | SEG_CODE | SEG_W)) == (SEG_S | SEG_W);
}

/* Type of a system descriptor (SYS_*), 0 for a code or data descriptor. */
static inline unsigned attr_system_type(uint16_t attr) {
    return attr & SEG_S ? 0 : attr & SEG_TYPE;
}

/* Real-address mode or virtual-8086 mode: selectors are paragraph numbers. */
static inline bool cpu_paragraph_mode(const struct vcpu *v) {
    return !(v->cr0 & CR0_PE) || (v->sysflags & EFL_VM);
}

/* Raises vector(sel & ~3 | ext); returns false. */
static inline bool segment_fault(struct vcpu *v, unsigned vector, uint16_t sel, unsigned ext) {
    return vcpu_raise_error(v, vector, (sel & 0xfffcu) | ext);
}

/* True when [off, off + n) is inside the segment (n >= 1; SDM vol. 3A section 5.3). A 4 GiB
 * segment wraps, as translated code does. */
bool segment_span_ok(const struct seg *s, gva_t off, uint32_t n);

/* cpu_desc_read and cpu_desc_unpack in one. */
bool segment_fetch(struct vcpu *v, uint16_t sel, struct seg *out, unsigned vector, unsigned ext);

/* Sets the accessed bit of a code or data descriptor just fetched, in memory and in s->attr.
 * False: #PF pending. */
bool segment_set_accessed(struct vcpu *v, struct seg *s);

/* Where the descriptor that sel names stands. */
gla_t segment_desc_gla(const struct vcpu *v, uint16_t sel);

/* The hidden part a paragraph-mode load of sreg gives (SDM vol. 3B section 20.1.4 and 20.2.1). */
void segment_paragraph(const struct vcpu *v, unsigned sreg, uint16_t sel, struct seg *out);
void segment_v86(uint16_t sel, struct seg *out);

/* Nulls a segment register that a CPL now less privileged may not keep (SDM vol. 2B, RET). */
void segment_drop_privileged(struct vcpu *v, unsigned cpl);

/*
 * The checks of a protected-mode CS for a return (RETF, IRET; SDM vol. 2A/2B): rpl is the new CPL.
 * Raises #GP/#NP(sel); sets the accessed bit.
 */
bool segment_fetch_return_cs(struct vcpu *v, uint16_t sel, struct seg *cs);
/* The same for the SS of a return to outer level `cpl`: #GP(sel) or #SS(sel). */
bool segment_fetch_return_ss(struct vcpu *v, uint16_t sel, unsigned cpl, struct seg *ss);

/*
 * SS:ESP for a change to inner level `cpl` from the current TSS (SDM vol. 3A section 5.8.5), with
 * all checks: #TS or #SS with the selector and ext.
 */
bool segment_fetch_tss_stack(struct vcpu *v, unsigned cpl, unsigned ext, struct seg *ss,
                             uint32_t *esp);

#endif
