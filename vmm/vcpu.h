/*
 * The virtual CPU: every guest-visible register and what the VMM keeps beside them.
 *
 * While translated code runs, R15 points at this struct and the guest's registers live in host
 * registers (bt/regs.h); the copies here are current only while VMM code (C) runs. The guest's
 * x87/SSE state stays in the host's registers all the time, also during callouts, which is why the
 * core is compiled without floating point.
 *
 * EFLAGS is kept in three parts so that each has a cheap home:
 *   flags     arithmetic flags and DF; in the host's RFLAGS while translated code runs
 *   ifl       0 or EFL_IF; CLI and STI are one store
 *   sysflags  the rest of EFL_SYS
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/x86.h"

struct vm;
struct bt;
struct mmu;

/* A segment register with its hidden part. limit is the last valid offset in bytes (expanded). */
struct seg {
    uint16_t sel;
    uint16_t attr; /* SEG_*; attr 0 (P clear) = unusable (null selector) */
    uint32_t base;
    uint32_t limit;
};

/* What translated code may take for granted about a segment. */
enum segment_class {
    SEGMENT_CHECKED, /* nothing: limit and type are checked at run time */
    SEGMENT_WIDE,    /* reads and, for data, writes anywhere in 4 GiB; any base */
    SEGMENT_FLAT     /* the same with base 0 */
};

static inline enum segment_class segment_class(const struct seg *s, bool code) {
    unsigned need = SEG_P | SEG_S | SEG_W | (code ? SEG_CODE : 0);
    unsigned mask = SEG_P | SEG_S | SEG_W | SEG_CODE | (code ? 0 : SEG_E);

    if (s->limit != UINT32_MAX || (s->attr & mask) != need)
        return SEGMENT_CHECKED;
    return s->base == 0 ? SEGMENT_FLAT : SEGMENT_WIDE;
}

/* The same of ES, CS, SS and DS as bits, with CS.D and SS.B (bt/key.h has them in a block's key).
 * FS and GS are looked at when used (v->fs_gs_base). */
#define SEG_FACT_CODE32     (1u << 2)
#define SEG_FACT_STACK32    (1u << 3)
#define SEG_FACT_FLAT(sreg) (1u << (4 + (sreg)))  /* SEGMENT_FLAT */
#define SEG_FACT_WIDE(sreg) (1u << (10 + (sreg))) /* that or SEGMENT_WIDE */

static inline uint32_t segment_facts(unsigned sreg, const struct seg *s) {
    enum segment_class class = segment_class(s, sreg == SEG_CS);
    uint32_t facts = class == SEGMENT_CHECKED ? 0 : SEG_FACT_WIDE(sreg);

    if (class == SEGMENT_FLAT)
        facts |= SEG_FACT_FLAT(sreg);
    if (sreg == SEG_CS && s->attr & SEG_DB)
        facts |= SEG_FACT_CODE32;
    if (sreg == SEG_SS && s->attr & SEG_DB)
        facts |= SEG_FACT_STACK32;
    return facts;
}

struct dtable {
    uint32_t base;
    uint16_t limit;
};

/* A fault on its way to the guest. */
struct exception {
    bool pending;
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint32_t cr2; /* only for VEC_PF; goes to CR2 at delivery */
};

/* Interruptibility after STI, MOV SS, POP SS (SDM vol. 3A section 6.8.3). */
enum { SHADOW_NONE = 0, SHADOW_STI = 1, SHADOW_MOV_SS = 2 };

#define SOFT_TLB_ENTRIES 256u
#define SOFT_TLB_INVALID 1u

/*
 * Direct-mapped software TLB used by checked operands. Entry i serves linear pages with
 * (gla >> 12) % 256 == i. A tag is the page's linear address, or SOFT_TLB_INVALID; addend + gla is
 * the hva. rtag valid: loads may go direct. wtag valid: stores too (D set, frame holds no
 * translated code, not MMIO).
 */
struct soft_tlb {
    uint32_t rtag[SOFT_TLB_ENTRIES];
    uint32_t wtag[SOFT_TLB_ENTRIES];
    uint64_t addend[SOFT_TLB_ENTRIES];
};

enum { BOUNCE_BYTES = 1024, CODE_TLB_ENTRIES = 8192 };

/* A checked access that no single host pointer can serve (two pages, MMIO, a page with code). */
struct bounce {
    bool active;
    bool mmio;
    uint32_t size;
    uint64_t gpa[2]; /* first part, second part (page-crossing) */
    uint32_t split;  /* bytes in the first part */
    uint32_t offset; /* where in buf the bytes stand (keeps 64-byte alignment of the gla) */
    _Alignas(64) uint8_t buf[BOUNCE_BYTES];
};

/* Entries of vmm/recall.h: descriptors, and where memory holds them as long as tables_epoch is
 * `epoch`. A gate that is zero is none: it has no P. */
struct recall_gate {
    _Alignas(64) uint64_t gate; /* entries are found by a shift */
    uint64_t code, stack;
    const uint8_t *gate_at, *code_at, *stack_at, *tss_at;
    uint64_t epoch;
    struct seg cs, ss;
    uint32_t eip;
    uint16_t vector;
    bool close; /* interrupt gate: clears IF */
};
struct recall_return {
    uint64_t code, stack;
    const uint8_t *code_at, *stack_at;
    uint64_t epoch;
    struct seg cs, ss;
};
/* Read by translated code, which has no flags to compare with: hence the negated values. */
struct recall_load {
    uint32_t minus_sel; /* 1: none; 0 to -FFFFh else */
    gla_t desc;         /* where the descriptor stands */
    uint64_t minus_desc;
    struct seg seg; /* the hidden part it makes */
    uint32_t base;  /* seg.base */
    uint64_t fs_gs_base;
};
enum { RECALL_GATES = 16 };

struct vcpu {
    /* hot: within reach of an 8-bit displacement from R15 */
    uint32_t gpr[8];
    uint32_t eip;
    uint32_t flags;
    uint32_t ifl;
    uint32_t sysflags;
    uint64_t jc_now;    /* R13 for translated code: jump cache, or the poison page (bt/run.c) */
    uint64_t jc_sti;    /* the same once IF is set: STI loads it */
    uint64_t sti_exits; /* not 0: that is the poison page, and STI leaves translated code */
    uint64_t exit_slot; /* which block exit left translated code (bt/) */
    uint64_t host_rsp;  /* stack of the run loop while translated code runs */
    uint64_t tc_rsp; /* stack of translated code during callouts; 0 in the run loop and onward.c */
    uint64_t tc_stack;    /* its empty state (bt/returns.c) */
    uint64_t resume;      /* where translated code goes on behind a native run (bt/native.c) */
    bool returns_stale;   /* return addresses on it may lead to dead or remapped code */
    uint32_t next_eip;    /* callouts: EIP of the following instruction */
    uint32_t ea;          /* callouts: effective address (offset) of the memory operand */
    uint32_t val;         /* callouts: operand value where a lowering passes one */
    uint32_t scratch;     /* translated code: a value between two operands of one instruction */
    uint32_t target;      /* translated code: where an indirect CALL goes, during its push */
    uint64_t pointer;     /* translated code: what prepare() returned */
    uint32_t pushf_fixed; /* what PUSHF adds to the live flags: sysflags | 2, less host constants */
    uint64_t window_base[2]; /* GS base by user? 1 : 0; 0 when that view has no window */
    /* FS and GS: where their base stands if translated code may use it without a check, else an
     * address that faults; they change too often to be part of what a translation assumes */
    uint64_t fs_gs_base[2];
    uint64_t seg_poison;          /* that address; set by bt_create */
    uint8_t *edge;                /* R14 for translated code (bt/entry.c) */
    uint32_t seg_base[SEG_COUNT]; /* copies of seg[].base for short addressing */

    struct recall_load recall_load[SEG_COUNT];

    struct seg seg[SEG_COUNT];
    struct seg ldtr, tr;
    struct dtable gdtr, idtr;
    uint32_t cr0, cr2, cr3, cr4;
    uint32_t dr[8];
    uint64_t pdpte[4];  /* PAE: loaded at MOV CR3 (SDM vol. 3A section 4.4.1) */
    uint32_t seg_facts; /* SEG_FACT_* of seg[] */
    uint8_t cpl;
    uint8_t shadow; /* SHADOW_* */
    bool halted;
    bool intr_line; /* INTR from the 8259 */
    bool nmi_pending;
    bool nmi_blocked;
    bool code_written; /* mmu_write overwrote translated code since this was last cleared */

    /* debug exceptions (vmm/debug_trap.h) */
    bool watching;    /* DR7 enables a data breakpoint */
    bool stepping;    /* #DB for TF is due behind the instruction at work */
    bool not_run;     /* bt/: the instruction did not begin, it is to be translated otherwise */
    uint8_t dr6_hits; /* B0-B3 of breakpoints met, whose #DB is due behind the instruction */

    /* x87 errors while CR0.NE is clear (vmm/fpu_error.h) */
    bool ferr;               /* FERR# is asserted */
    bool ignne;              /* IGNNE# is asserted; the board's */
    bool fpu_held;           /* error flags are out of the status word for one instruction */
    uint16_t fpu_held_flags; /* they, and SF */

    /* model-specific registers (vmm/msr.c) */
    uint64_t efer;
    uint32_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_offset; /* guest TSC = host TSC + tsc_offset */
    uint64_t tsc_adjust;
    uint64_t hwcr;
    /* host CPUID features the guest is shown, filled by the first CPUID (vmm/cpuid.c) */
    struct {
        bool valid;
        uint32_t ecx, edx; /* leaf 1 */
        uint32_t ext1_ecx; /* leaf 80000001h */
        uint32_t ext8_ebx; /* leaf 80000008h */
    } host_features;
    uint64_t pat;

    /* changes when a translation of supervisor memory is forgotten or GDTR, IDTR or TR is loaded */
    uint64_t tables_epoch;
    struct recall_gate recall_gate[RECALL_GATES];
    struct recall_return recall_return;

    struct exception exc;
    bool prefill;      /* CPL 3 is about to touch the page at CR2, just mapped (bt/run.c) */
    bool pf_delivered; /* a #PF went to the guest since the last return to CPL 3 (vmm/iret.c) */
    struct vm *vm;

    struct soft_tlb tlb[2]; /* [0] CPL 0-2, [1] CPL 3 */
    struct bounce bounce;
    volatile uint32_t activity; /* vmm/activity.h */
    uint16_t activity_port;     /* the I/O port accessed last */
    uint64_t return_misses;
    uint64_t indirect_jumps, return_hits; /* counted with vm->counting */
    uint64_t callout_count[128];          /* by bt_callout_name() number */
    /* x87/SSE state during callouts, on hosts whose C code clobbers it (FXSAVE64 image) */
    _Alignas(64) uint8_t fpu[512];
    /* bt/: id of the code page behind each linear page, [user][(gla >> 12) % 8192]; 0 unknown */
    uint32_t code_tlb[2][CODE_TLB_ENTRIES];
};

/* True while CPL 3 paging and translation rules apply. */
static inline bool vcpu_user(const struct vcpu *v) {
    return v->cpl == 3;
}

/* The whole EFLAGS image (bit 1 set). */
static inline uint32_t vcpu_eflags(const struct vcpu *v) {
    return (v->flags & EFL_LIVE) | v->ifl | (v->sysflags & EFL_SYS) | EFL_ONE;
}

/* Replaces the EFLAGS bits in mask by those of value. No privilege checks; keeps pushf_fixed. */
void vcpu_set_eflags(struct vcpu *v, uint32_t value, uint32_t mask);

/* The same, quicker where no flag of EFL_SYS changes. */
static inline void vcpu_update_eflags(struct vcpu *v, uint32_t value, uint32_t mask) {
    if ((v->sysflags ^ value) & mask & EFL_SYS) {
        vcpu_set_eflags(v, value, mask);
        return;
    }
    v->flags = ((v->flags & ~mask) | (value & mask)) & EFL_LIVE;
    if (mask & EFL_IF)
        v->ifl = value & EFL_IF;
}

/* Makes v->exc pending with these contents (cr2: #PF only). */
void vcpu_set_fault(struct vcpu *v, unsigned vector, bool has_error, uint32_t error, gla_t cr2);

/*
 * Makes a fault pending and returns false, so that `return vcpu_raise(...)` reads as it acts.
 * The guest's registers must be as before the instruction. A fault raised while another is pending
 * replaces it (the caller is delivery, which decides on #DF).
 */
static inline bool vcpu_raise(struct vcpu *v, unsigned vector) {
    vcpu_set_fault(v, vector, false, 0, 0);
    return false;
}

static inline bool vcpu_raise_error(struct vcpu *v, unsigned vector, uint32_t error) {
    vcpu_set_fault(v, vector, true, error, 0);
    return false;
}

static inline bool vcpu_raise_pf(struct vcpu *v, gla_t gla, uint32_t error) {
    vcpu_set_fault(v, VEC_PF, true, error, gla);
    return false;
}

/* Power-on state, SDM vol. 3A table 9-1 (real mode, CS:EIP F000:FFF0). */
void vcpu_reset(struct vcpu *v);

/* Installs a segment register's hidden part, keeping all that is derived from it; CPL is left
 * alone.
 */
void vcpu_set_seg(struct vcpu *v, unsigned sreg, const struct seg *s);

/* The same for ES, CS, SS and DS only, which translations are keyed on. */
static inline void vcpu_set_keyed_seg(struct vcpu *v, unsigned sreg, const struct seg *s) {
    const uint32_t mode = sreg == SEG_CS ? SEG_FACT_CODE32 : sreg == SEG_SS ? SEG_FACT_STACK32 : 0;

    /* field by field: when *s was just put together, loading it as a whole would have to wait */
    v->seg[sreg].sel = s->sel;
    v->seg[sreg].attr = s->attr;
    v->seg[sreg].base = s->base;
    v->seg[sreg].limit = s->limit;
    v->seg_base[sreg] = s->base;
    v->seg_facts &= ~(SEG_FACT_FLAT(sreg) | SEG_FACT_WIDE(sreg) | mode);
    v->seg_facts |= segment_facts(sreg, s);
}

#endif
