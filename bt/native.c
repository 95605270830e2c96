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
 * A trap that is no shadow miss ends the run. What system calls and page faults are made of is done
 * at once: INT n, SYSENTER and guest page faults are delivered, and translated code is resumed
 * where the jump cache knows the handler; IRET and SYSEXIT to CPL 3 go back without the run loop.
 * Everything else is done again by the translator, one instruction: faults, privileged instructions
 * and segment loads have one implementation.
 *
 *   run loop -> enter -> thunk_native -> native_go -> host_user_run ... bt_user_end
 *                        translated code, IRET -> native_iret -> host_user_run ... bt_user_end
 *
 * bt_user_end goes on in the frame of that enter: at thunk_resume, or at thunk_exit_done.
 */
#include "bt/native.h"

#include "bt/bt_priv.h"
#include "bt/key.h"
#include "bt/regs.h"
#include "mmu/mmu.h"
#include "vmm/callout.h"
#include "vmm/cpu.h"
#include "vmm/debug_trap.h"
#include "vmm/interrupt.h"
#include "vmm/segment.h"

/* What user code changes without a trap. */
#define EFL_USER (EFL_LIVE | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

#define SELECTOR_TI  4u
#define SELECTOR_RPL 3u

static bool mode_allows(const struct vcpu *v) {
    const uint32_t flags = EFL_TF | EFL_IOPL | EFL_NT | EFL_VM | EFL_AC;
    const uint32_t paged = CR0_PE | CR0_PG;
    const uint32_t fxsr = CR4_OSFXSR | CR4_OSXMMEXCPT;

    return v->cpl == 3 && (v->cr0 & (paged | CR0_EM)) == paged && v->ifl &&
           !(v->sysflags & flags) && v->eip <= v->seg[SEG_CS].limit &&
           (v->cr4 & (fxsr | CR4_TSD)) == fxsr && (host_window_nx() || !(v->efer & EFER_NXE)) &&
           v->shadow == SHADOW_NONE && !debug_armed(v) && !v->watching && v->tsc_offset == 0 &&
           !v->ferr;
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

/* True: these bytes, a multiple of 8, are the same. One instruction that takes few cycles a word,
 * where a loop of compares would take several instructions. */
static bool same_words(const void *a, const void *b, uint64_t bytes) {
    uint64_t n = bytes / 8;
    bool same;

    __asm__("cmp %%eax, %%eax\n\trepe cmpsq"
            : "=@cce"(same), "+S"(a), "+D"(b), "+c"(n)
            :
            : "memory");
    return same;
}

/* True: the guest's GDT is the one that was last looked at. */
static inline bool gdt_unchanged(struct vcpu *v, struct native_gdt *g) {
    uint32_t bytes = g->bytes;
    gla_t base = v->gdtr.base;

    if (g->version == 0 || g->limit != v->gdtr.limit || (base & ~PAGE_MASK) + bytes > PAGE_SIZE)
        return false;
    if (g->epoch != v->tables_epoch) {
        g->at = mmu_page_ptr(v, base, MMU_R);
        g->epoch = v->tables_epoch;
        if (!g->at)
            v->exc.pending = false;
    }
    return g->at && same_words(g->at, g->guest, bytes);
}

/* Follows the guest's GDT. False: it is too big, or not in plain memory. */
static __attribute__((noinline)) bool update_gdt(struct vcpu *v, struct native_gdt *g) {
    uint64_t now[HOST_USER_GDT] = {0};
    uint32_t bytes = ((uint32_t)v->gdtr.limit + 1) & ~7u;
    bool changed = g->version == 0;

    if (bytes > sizeof now || mmu_peek(v, v->gdtr.base, now, bytes) != bytes)
        return false;
    g->limit = v->gdtr.limit;
    g->bytes = bytes;
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
    if (!memcmp(u->left, u->selector, sizeof u->left))
        return;
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++) {
        uint16_t selector = u->left[sreg];
        uint64_t descriptor = descriptor_at(v->vm->bt, selector);
        struct seg now = {.sel = selector};

        if (selector == u->selector[sreg])
            continue;
        if (descriptor) {
            struct desc d = {(uint32_t)descriptor, (uint32_t)(descriptor >> 32)};
            cpu_desc_unpack(selector, &d, &now);
        }
        vcpu_set_seg(v, sreg, &now);
    }
}

static void store_state(struct vcpu *v, const struct host_user *u) {
    v->eip = u->eip;
    vcpu_update_eflags(v, u->eflags, EFL_USER);
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
    case MMU_FAULT_CHURNS:
        break;
    }
    return false;
}

/* -- in -- */

/* Makes bt->user what the vCPU's state asks for. False: that cannot run natively. */
static bool prepare(struct bt *bt, struct vcpu *v) {
    struct host_user *u = &bt->user;

    if (!mode_allows(v))
        return false;
    mmu_enter_user(v);
    if (!v->window_base[1] ||
        (!gdt_unchanged(v, &bt->native_gdt) && !update_gdt(v, &bt->native_gdt)))
        return false;
    bool has_ldt = v->ldtr.attr & SEG_P || bt->native_ldt.entries > 0;
    if (has_ldt && native_ldt_follow(v, &bt->native_ldt))
        bt->native_gdt.version++;
    if (bt->native_seg_version != bt->native_gdt.version ||
        !same_words(v->seg, bt->native_seg, sizeof v->seg)) {
        bt->native_seg_version = 0;
        for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
            if (!load_segment(v, sreg, u))
                return false;
        memcpy(bt->native_seg, v->seg, sizeof bt->native_seg);
        bt->native_seg_version = bt->native_gdt.version;
    }
    v->sysflags &= ~EFL_RF;
    u->ts = v->cr0 & CR0_TS;
    u->eip = v->eip;
    u->eflags = vcpu_eflags(v);
    u->window = v->window_base[1];
    u->gdt = bt->native_gdt.user;
    u->gdt_version = bt->native_gdt.version;
    u->ldt = bt->native_ldt.user;
    u->ldt_entries = bt->native_ldt.entries;
    bt->stats.native_runs++;
    return true;
}

_Noreturn static void go(struct bt *bt, struct vcpu *v) {
    bt->native_start = __builtin_ia32_rdtsc();
    host_user_run(v, &bt->user);
}

void native_go(struct vcpu *v) {
    go(v->vm->bt, v);
}

bool native_run(struct vcpu *v) {
    struct bt *bt = v->vm->bt;

    if (bt->native_refused || !host_user_can() || !prepare(bt, v))
        return false;
    run_enter(bt, v, bt->thunk_native);
    return true;
}

/* Behind a return to CPL 3: goes on natively if nothing else is to be done first. */
static enum callout_result go_on(struct vcpu *v, enum callout_result result) {
    struct bt *bt = v->vm->bt;

    if (v->cpl != 3 || run_due(v))
        return result;
    if (v->prefill)
        run_prefill(bt, v);
    if (prepare(bt, v))
        go(bt, v);
    return result;
}

static enum callout_result native_iret(struct vcpu *v, uint64_t arg) {
    return go_on(v, callout_iret(v, arg));
}

static enum callout_result native_sysexit(struct vcpu *v, uint64_t arg) {
    return go_on(v, callout_sysexit(v, arg));
}

callout_fn native_callout(callout_fn fn) {
    if (!host_user_can())
        return fn;
    return fn == callout_iret ? native_iret : fn == callout_sysexit ? native_sysexit : fn;
}

/* -- out -- */

/* INT n, SYSENTER: what user code does again and again. The routines are the ones translated code
 * calls. False: it was something else, or it faulted. */
static bool enter_kernel(struct vcpu *v, const struct host_user *u) {
    /* an error code that names a gate; which one, QEMU's TCG says otherwise than the manual */
    enum { INT_N = 0xcd, TWO_BYTES = 0x0f, SYSENTER = 0x34, ERROR_IDT = 2, ERROR_EXT = 1 };
    uint16_t code;

    if (u->vector != VEC_GP && u->vector != VEC_UD)
        return false;
    if (v->eip >= v->seg[SEG_CS].limit)
        return false;
    if (!mmu_read16(v, v->seg_base[SEG_CS] + v->eip, &code, true)) {
        v->exc.pending = false;
        return false;
    }
    if ((code & 0xff) == INT_N && (u->error & (ERROR_IDT | ERROR_EXT)) == ERROR_IDT)
        return interrupt_software(v, code >> 8, v->eip + 2);
    if (code == (SYSENTER << 8 | TWO_BYTES)) {
        callout_sysenter(v, 0);
        return !v->exc.pending;
    }
    return false;
}

void bt_user_end(struct vcpu *v, const struct host_user *u, struct host_regs *next) {
    struct bt *bt = v->vm->bt;
    bool go_on = false;

    bt->stats.native_tsc += __builtin_ia32_rdtsc() - bt->native_start;
    store_state(v, u);
    v->exit_slot = 0;
    next->gpr[REG_VCPU] = (uint64_t)(uintptr_t)v;
    next->gpr[RSP] = v->tc_stack;
    next->rip = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_exit_done);
    next->rflags = 0;
    if (u->vector == VEC_DB)
        debug_raise(v, u->address & DR6_BS); /* a trap: the instruction is done */
    else if (v->exc.pending)
        go_on = run_deliver_fault(bt, v);
    else if (u->vector != HOST_USER_KICKED)
        bt->native_refused = !(go_on = enter_kernel(v, u)) && !v->exc.pending;
    uint64_t host = go_on && !vcpu_user(v) ? onward_known(bt, v) : 0;
    if (!host)
        return;
    v->exit_slot = 0;
    run_arm(bt, v);
    v->resume = host;
    next->rip = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_resume);
    next->rflags = v->flags;
}
