/*
 * Direct execution of guest user code (Intel SDM vol. 3A sections 3.4 and 5.5 for what the rings do
 * by themselves; docs/ring0.md for the host's side).
 *
 * The processor runs CPL 3 code as it is while all that it can see and do without a trap is what
 * the guest's own processor would show and do:
 *   - paging by the address space's window, which holds exactly the user pages, with NX where the
 *     guest uses it
 *   - IOPL 0, IF 1, no TF, no virtual-8086 mode, no debug registers, no alignment checks
 *   - segments whose hidden parts equal the guest's present descriptors, which are of DPL 3, or
 *     null; any base, limit, direction and size
 *   - a GDT of at most 128 descriptors and any LDT: those of DPL 3 stand in the processor's own
 *     tables, where it finds them by itself (segment loads, far jumps, LSL); using another traps
 *   - the guest's TSC is the host's
 * Everything that traps but is not a shadow miss is done again by the translator, one instruction:
 * INT n, SYSENTER, faults, privileged instructions and segment loads have one implementation.
 */
#include "bt/native.h"

#include "bt/bt_priv.h"
#include "mmu/mmu.h"
#include "vmm/cpu.h"
#include "vmm/debug_trap.h"
#include "vmm/segment.h"

/* What user code changes without a trap. */
#define EFL_USER (EFL_LIVE | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

#define SELECTOR_TI  4u
#define SELECTOR_RPL 3u

static bool mode_allows(const struct vcpu *v) {
    const uint32_t flags = EFL_TF | EFL_IOPL | EFL_NT | EFL_VM | EFL_VIF | EFL_VIP | EFL_AC;
    const uint32_t paged = CR0_PE | CR0_PG;
    const uint32_t fxsr = CR4_OSFXSR | CR4_OSXMMEXCPT;

    return v->cpl == 3 && (v->cr0 & (paged | CR0_EM)) == paged && v->ifl &&
           !(v->sysflags & flags) && v->eip <= v->seg[SEG_CS].limit &&
           (v->cr4 & (fxsr | CR4_TSD | CR4_VME | CR4_PVI)) == fxsr &&
           (host_window_nx() || !(v->efer & EFER_NXE)) && v->shadow == SHADOW_NONE &&
           !debug_armed(v) && !v->watching && v->tsc_offset == 0 && !v->ferr;
}

/* The descriptor of a segment register's hidden part. */
static uint64_t descriptor_of(const struct seg *s) {
    uint32_t limit = s->attr & SEG_G ? s->limit >> PAGE_SHIFT : s->limit;
    uint32_t lo = (limit & 0xffff) | s->base << 16;
    uint32_t hi = (s->base >> 16 & 0xff) | (uint32_t)s->attr << 8 | (limit & 0xf0000) |
                  (s->base & 0xff000000);

    return (uint64_t)hi << 32 | lo;
}

#define DESC_A   ((uint64_t)SEG_A << 40)
#define DESC_P   ((uint64_t)SEG_P << 40)
#define DESC_S   ((uint64_t)SEG_S << 40)
#define DESC_L   ((uint64_t)SEG_L << 40)
#define DESC_DPL ((uint64_t)SEG_DPL << 40)

uint64_t native_user_descriptor(uint64_t guest) {
    if ((guest & (DESC_S | DESC_DPL)) != (DESC_S | DESC_DPL) || guest & DESC_L)
        return 0;
    return guest & DESC_A ? guest : guest & ~DESC_P;
}

/* Follows the guest's GDT. False: it is too big, or not in plain memory. */
static bool update_gdt(struct vcpu *v, struct native_gdt *g) {
    uint64_t now[HOST_USER_GDT] = {0};
    uint32_t bytes = ((uint32_t)v->gdtr.limit + 1) & ~7u;
    bool changed = g->version == 0;

    if (bytes > sizeof now || mmu_peek(v, v->gdtr.base, now, bytes) != bytes)
        return false;
    for (unsigned i = 0; i < HOST_USER_GDT && !changed; i++)
        changed = now[i] != g->guest[i];
    if (!changed)
        return true;
    g->version++;
    for (unsigned i = 0; i < HOST_USER_GDT; i++) {
        g->guest[i] = now[i];
        g->user[i] = i ? native_user_descriptor(now[i]) : 0;
    }
    return true;
}

static uint64_t descriptor_at(const struct bt *bt, uint16_t selector) {
    unsigned n = selector / 8;

    if (selector & SELECTOR_TI)
        return n < bt->native_ldt.entries ? bt->native_ldt.user[n] : 0;
    return n < HOST_USER_GDT ? bt->native_gdt.user[n] : 0;
}

/* May the register hold such a segment at CPL 3? A hidden part that came from a descriptor always
 * may; loading it in ring 0 must not fault whatever happened before. */
static bool type_fits(unsigned sreg, uint16_t attr) {
    bool code = attr & SEG_CODE, writable_or_readable = attr & SEG_W;

    if (!(attr & SEG_P))
        return false;
    if (sreg == SEG_CS)
        return code;
    return sreg == SEG_SS ? !code && writable_or_readable : !code || writable_or_readable;
}

static bool load_segment(const struct vcpu *v, unsigned sreg, struct host_user *u) {
    const struct seg *s = &v->seg[sreg];
    bool null = !(s->sel & ~SELECTOR_RPL) && !s->attr;

    u->selector[sreg] = s->sel;
    if (null && sreg != SEG_CS && sreg != SEG_SS)
        return true;
    if (!type_fits(sreg, s->attr))
        return false;
    if ((sreg == SEG_CS || sreg == SEG_SS) && (s->sel & SELECTOR_RPL) != 3)
        return false;
    return (descriptor_of(s) | DESC_A) == descriptor_at(v->vm->bt, s->sel);
}

/* User code may have loaded null, or a descriptor of the tables. */
static void store_segments(struct vcpu *v, const struct host_user *u) {
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++) {
        uint16_t selector = u->selector[sreg];
        uint64_t descriptor = descriptor_at(v->vm->bt, selector);
        struct seg now = {.sel = selector};

        if (selector == v->seg[sreg].sel)
            continue;
        if (descriptor) {
            struct desc d = {(uint32_t)descriptor, (uint32_t)(descriptor >> 32)};
            cpu_desc_unpack(selector, &d, &now);
        }
        vcpu_set_seg(v, sreg, &now);
    }
}

static void store_state(struct vcpu *v, const struct host_user *u) {
    memcpy(v->gpr, u->gpr, sizeof v->gpr);
    v->eip = u->eip;
    vcpu_set_eflags(v, u->eflags, EFL_USER);
    store_segments(v, u);
}

bool bt_user_fault(struct vcpu *v, gla_t gla, uint32_t error) {
    struct bt *bt = v->vm->bt;
    bool write = error & PFERR_W;
    gpa_t gpa = 0;

    if (error & PFERR_I)
        return mmu_window_fetch(v, gla) == MMU_FAULT_RETRY;
    switch (mmu_window_fault(v, gla, write, &gpa)) {
    case MMU_FAULT_RETRY:
        return true;
    case MMU_FAULT_CODE_WRITE:
        /* user code that is run natively has hardly any translations to lose */
        bt->stats.smc_writes++;
        codepage_kill_frame(bt, (uint32_t)(gpa >> PAGE_SHIFT));
        return mmu_window_fault(v, gla, write, &gpa) == MMU_FAULT_RETRY;
    case MMU_FAULT_GUEST:
    case MMU_FAULT_CHECKED:
        break;
    }
    return false;
}

bool native_run(struct vcpu *v) {
    struct bt *bt = v->vm->bt;
    struct host_user u = {.ts = v->cr0 & CR0_TS};

    if (bt->native_refused || !mode_allows(v) || !host_user_can())
        return false;
    mmu_enter_user(v);
    if (!v->window_base[1] || !update_gdt(v, &bt->native_gdt))
        return false;
    if (native_ldt_follow(v, &bt->native_ldt))
        bt->native_gdt.version++;
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        if (!load_segment(v, sreg, &u))
            return false;
    memcpy(u.gpr, v->gpr, sizeof u.gpr);
    u.eip = v->eip;
    u.eflags = vcpu_eflags(v) & ~EFL_RF;
    u.window = v->window_base[1];
    u.gdt = bt->native_gdt.user;
    u.gdt_version = bt->native_gdt.version;
    u.ldt = bt->native_ldt.user;
    u.ldt_entries = bt->native_ldt.entries;
    uint64_t start = host_clock_ns();
    host_user_run(v, &u);
    bt->stats.native_ns += host_clock_ns() - start;
    bt->stats.native_runs++;
    v->exit_slot = 0;
    v->sysflags &= ~EFL_RF;
    store_state(v, &u);
    if (u.vector == VEC_DB)
        debug_raise(v, u.address & DR6_BS); /* a trap: the instruction is done */
    else if (u.vector != HOST_USER_KICKED)
        bt->native_refused = !v->exc.pending;
    return true;
}
