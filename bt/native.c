/*
 * Direct execution of guest user code (Intel SDM vol. 3A sections 3.4 and 5.5 for what the rings do
 * by themselves; docs/ring0.md for the host's side).
 *
 * The processor runs CPL 3 code as it is while all that it can see and do without a trap is what
 * the guest's own processor would show and do:
 *   - paging by the address space's window, which holds exactly the user pages
 *   - IOPL 0, IF 1, no TF, no virtual-8086 mode, no debug registers, no alignment checks
 *   - 4 GiB segments whose hidden parts equal the guest's present descriptors, or null FS and GS;
 *     other selectors are not in the host's table, and loading them traps
 *   - the guest's TSC is the host's
 * Everything that traps but is not a shadow miss is done again by the translator, one instruction:
 * INT n, SYSENTER, faults, privileged instructions and segment loads have one implementation.
 */
#include "bt/native.h"

#include "bt/bt_priv.h"
#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/segment.h"

/* What user code changes without a trap. */
#define EFL_USER (EFL_LIVE | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

#define SELECTOR_TI  4u
#define SELECTOR_RPL 3u

static bool mode_allows(const struct vcpu *v) {
    const uint32_t flags = EFL_TF | EFL_IOPL | EFL_NT | EFL_VM | EFL_VIF | EFL_VIP;
    const uint32_t paged = CR0_PE | CR0_PG;
    const uint32_t fxsr = CR4_OSFXSR | CR4_OSXMMEXCPT;

    return v->cpl == 3 && (v->cr0 & (paged | CR0_EM)) == paged && v->ifl &&
           !(v->sysflags & flags) && !((v->cr0 & CR0_AM) && (v->sysflags & EFL_AC)) &&
           (v->cr4 & (fxsr | CR4_TSD | CR4_VME | CR4_PVI)) == fxsr && !(v->efer & EFER_NXE) &&
           v->shadow == SHADOW_NONE && !debug_armed(v) && !v->watching && v->tsc_offset == 0;
}

/* The descriptor of a segment register's hidden part. */
static uint64_t descriptor_of(const struct seg *s) {
    uint32_t limit = s->attr & SEG_G ? s->limit >> PAGE_SHIFT : s->limit;
    uint32_t lo = (limit & 0xffff) | s->base << 16;
    uint32_t hi = (s->base >> 16 & 0xff) | (uint32_t)s->attr << 8 | (limit & 0xf0000) |
                  (s->base & 0xff000000);

    return (uint64_t)hi << 32 | lo;
}

/* True: the guest's table holds the same now, but for the accessed bit. */
static bool is_current(struct vcpu *v, const struct seg *s, uint64_t descriptor) {
    const uint64_t accessed = (uint64_t)SEG_A << 40;
    uint64_t now;

    if ((s->sel | 7u) > v->gdtr.limit ||
        mmu_peek(v, segment_desc_gla(v, s->sel), &now, sizeof now) != sizeof now)
        return false;
    return (now | accessed) == (descriptor | accessed);
}

static bool load_segment(struct vcpu *v, unsigned sreg, struct host_user *u) {
    const struct seg *s = &v->seg[sreg];
    const unsigned need = 3u << SEG_DPL_SHIFT;
    bool null = !(s->sel & ~SELECTOR_RPL) && !s->attr;

    u->selector[sreg] = s->sel;
    u->descriptor[sreg] = 0;
    if (null && sreg >= SEG_FS)
        return true;
    if (segment_class(s, sreg == SEG_CS) == SEGMENT_CHECKED || (s->attr & SEG_DPL) != need ||
        (s->attr & SEG_L) || (s->sel & SELECTOR_TI))
        return false;
    if (sreg == SEG_CS && ((s->attr & SEG_E) || !(s->attr & SEG_DB)))
        return false;
    if ((sreg == SEG_CS || sreg == SEG_SS) && (s->sel & SELECTOR_RPL) != 3)
        return false;
    u->descriptor[sreg] = descriptor_of(s);
    for (unsigned other = 0; other < sreg; other++)
        if (u->descriptor[other] && ((u->selector[other] ^ s->sel) & ~SELECTOR_RPL) == 0)
            return u->descriptor[other] == u->descriptor[sreg];
    return is_current(v, s, u->descriptor[sreg]);
}

/* User code may have loaded null and the selectors that were in the host's table. */
static void store_segments(struct vcpu *v, const struct host_user *u) {
    struct seg before[SEG_COUNT];

    memcpy(before, v->seg, sizeof before);
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++) {
        if (u->selector[sreg] == before[sreg].sel)
            continue;
        struct seg now = {.sel = u->selector[sreg]};
        for (unsigned other = 0; now.sel & ~SELECTOR_RPL && other < SEG_COUNT; other++)
            if (u->descriptor[other] && ((before[other].sel ^ now.sel) & ~SELECTOR_RPL) == 0)
                now = before[other];
        now.sel = u->selector[sreg];
        vcpu_set_seg(v, sreg, &now);
    }
}

static void store_state(struct vcpu *v, const struct host_user *u) {
    memcpy(v->gpr, u->gpr, sizeof v->gpr);
    v->eip = u->eip;
    vcpu_set_eflags(v, u->eflags, EFL_USER);
    store_segments(v, u);
}

bool bt_user_fault(struct vcpu *v, gla_t gla, bool write) {
    struct bt *bt = v->vm->bt;
    gpa_t gpa = 0;

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
    if (!v->window_base[1])
        return false;
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        if (!load_segment(v, sreg, &u))
            return false;
    memcpy(u.gpr, v->gpr, sizeof u.gpr);
    u.eip = v->eip;
    u.eflags = vcpu_eflags(v) & ~EFL_RF;
    u.window = v->window_base[1];
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
