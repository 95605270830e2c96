/*
 * Host exceptions in translated code (life of a fault: docs/design.md). A page fault in a window is
 * a shadow miss, a guest fault, or an access that needs the checked form; one on the poison page is
 * an interrupt poll; any other exception is the guest instruction's own.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"
#include "bt/regs.h"
#include "mmu/mmu.h"
#include "vmm/activity.h"
#include "vmm/fpu_error.h"

/* Writes to one code frame that are answered by dropping its translations, before the writing
 * instruction is translated to the checked form instead. */
enum { CODE_WRITES_BEFORE_CHECKED = 8 };

void fault_save_state(struct vcpu *v, const struct host_regs *regs, const struct recovered *at) {
    for (unsigned n = 0; n < 8; n++)
        v->gpr[n] = (uint32_t)regs->gpr[reg_of_gpr(n)];
    v->gpr[ESP] += (uint32_t)at->esp_delta;
    v->eip = at->eip;
    if (at->fix == FIX_RSI_R10)
        v->gpr[ESI] = (uint32_t)regs->gpr[R10];
    else if (at->fix == FIX_EIP_R8)
        v->eip = (uint32_t)regs->gpr[R8];
    v->flags = (uint32_t)regs->rflags & EFL_LIVE;
}

static bool in_code(const struct bt *bt, const struct host_regs *regs) {
    uint64_t rx = (uint64_t)(uintptr_t)bt->code.rx;

    return regs->rip >= rx && regs->rip < rx + bt->code.size;
}

static uint32_t code_offset(const struct bt *bt, const struct host_regs *regs) {
    return (uint32_t)(regs->rip - (uint64_t)(uintptr_t)bt->code.rx);
}

/* Resumes in the exit thunk: bt_run goes on with struct vcpu as it is. */
static void leave(struct bt *bt, struct vcpu *v, struct host_regs *regs) {
    v->exit_slot = 0;
    v->not_run = true;
    regs->rip = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_exit_raw);
    regs->rflags &= ~(uint64_t)EFL_DF;
}

static gla_t instruction(const struct recovered *at) {
    return at->block->gla + (at->eip - at->block->eip);
}

/* Has this instruction translated anew wherever it is, with the hint that it has now: blocks that
 * begin elsewhere hold it, too, such as the one that a fault returns to. offset: what it was about,
 * for the log. */
static void retranslate(struct bt *bt, const struct recovered *at, int64_t offset,
                        const char *why) {
    if (LOG_ON(LOG_MMU))
        host_log("mmu: checked form of @%08x for %08llx: %s", instruction(at),
                 (unsigned long long)offset, why);
    codepage_kill_at(bt, instruction(at));
    bt->stats.retranslated++;
}

/* Translates this instruction in checked form from now on. */
static void make_checked(struct bt *bt, const struct recovered *at, int64_t offset,
                         const char *why) {
    hint_set(bt, instruction(at));
    retranslate(bt, at, offset, why);
}

static bool block_on_frame(const struct bt *bt, const struct block *b, uint32_t frame) {
    return b->page &&
           (bt->pages[b->page].ppage == frame || (b->page2 && bt->pages[b->page2].ppage == frame));
}

/* A direct write hit a frame with translations. True: resolved, retry. */
static bool code_write(struct bt *bt, struct vcpu *v, const struct recovered *at, gla_t gla,
                       gpa_t gpa) {
    uint32_t frame = (uint32_t)(gpa >> PAGE_SHIFT);

    v->activity = ACTIVITY_CODE_WRITE;
    bt->stats.smc_writes++;
    if (block_on_frame(bt, at->block, frame) ||
        bt->frame_writes[frame] >= CODE_WRITES_BEFORE_CHECKED)
        return false;
    bt->frame_writes[frame]++;
    codepage_kill_frame(bt, frame);
    return mmu_window_fault(v, gla, true, &gpa) == MMU_FAULT_RETRY;
}

/* True: run the host instruction again. False: leave. */
static bool window_fault(struct bt *bt, struct vcpu *v, const struct recovered *at, int64_t offset,
                         bool write) {
    gpa_t gpa = 0;

    v->activity = ACTIVITY_FILL;
    if (offset < 0 || offset > UINT32_MAX) {
        /* over the window's edge: an access that wraps at 4 GiB */
        make_checked(bt, at, offset, "over the window's edge");
        return false;
    }
    switch (mmu_window_fault(v, (gla_t)offset, write, &gpa)) {
    case MMU_FAULT_RETRY:
        return true;
    case MMU_FAULT_GUEST:
        v->activity = ACTIVITY_GUEST_FAULT;
        if (hint_after_fault(bt, instruction(at))) {
            hint_set_brief(bt, BRIEF_FAULTS, instruction(at));
            retranslate(bt, at, offset, "many page faults");
        }
        return false;
    case MMU_FAULT_CODE_WRITE:
        if (code_write(bt, v, at, (gla_t)offset, gpa))
            return true;
        make_checked(bt, at, offset, "writes a page with code");
        return false;
    case MMU_FAULT_CHURNS:
        if (!hint_set_brief(bt, BRIEF_CHURNS, instruction(at)))
            mmu_view_give_up(v); /* all of it reaches such pages, a stack's perhaps */
        retranslate(bt, at, offset, "a page that changes all the time");
        return false;
    case MMU_FAULT_CHECKED:
        break;
    }
    make_checked(bt, at, offset, "not for the window");
    return false;
}

static bool in_poison(const struct bt *bt, uint64_t address) {
    uint64_t start = (uint64_t)(uintptr_t)bt->poison;

    return address >= start && address < start + POISON_BYTES;
}

bool bt_host_fault(struct vcpu *v, struct host_regs *regs, unsigned vector, uint64_t error,
                   uint64_t address) {
    struct bt *bt = v->vm->bt;
    struct recovered at;

    if (!in_code(bt, regs))
        return false;
    /* also in the exit thunk, which saves the flags by way of the stack */
    if (vector == VEC_PF && returns_overflow(v, regs, address)) {
        bt->stats.host_faults++;
        return true;
    }
    if (vector == VEC_PF &&
        (landing_refused(bt, v, regs, address) || entry_refused(bt, v, regs, address))) {
        bt->stats.host_faults++;
        return true;
    }
    if (!recover_at(bt, code_offset(bt, regs), &at))
        return false;
    bt->stats.host_faults++;
    if (vector == VEC_PF && in_poison(bt, address)) {
        bt->stats.polls++;
        fault_save_state(v, regs, &at);
        leave(bt, v, regs);
        return true;
    }
    if (!at.block)
        return false;
    /* the fault handlers below may look at the guest's state */
    fault_save_state(v, regs, &at);
    if (vector == VEC_PF && address == v->seg_poison) {
        make_checked(bt, &at, 0, "FS or GS is not 4 GiB wide");
    } else if (vector == VEC_PF) {
        int64_t offset = (int64_t)(address - v->window_base[vcpu_user(v)]);
        if (window_fault(bt, v, &at, offset, error & PFERR_W)) {
            if (v->returns_stale)
                returns_scrub(v, regs->gpr[RSP]);
            return true;
        }
    } else if (vector == VEC_GP || vector == VEC_SS) {
        vcpu_raise_error(v, VEC_GP, 0); /* a misaligned SSE operand */
    } else if (vector == VEC_MF) {
        fpu_error_met(v);
    } else if (vector == VEC_XM && !(v->cr4 & CR4_OSXMMEXCPT)) {
        vcpu_raise(v, VEC_UD); /* SDM vol. 1 section 11.5.1 */
    } else {
        vcpu_raise(v, vector);
        if (vector == VEC_DE && hint_after_fault(bt, instruction(&at))) {
            hint_set(bt, HINT_DIVIDE(instruction(&at)));
            retranslate(bt, &at, 0, "many divide errors");
        }
    }
    leave(bt, v, regs);
    return true;
}

/* Bytes on the stack of return addresses that are none: a thunk's own, and the flags between
 * lower_pushf()'s PUSHFQ and POP R8. No more, or a tree of calls would be left to return as it is.
 */
static unsigned temporaries(struct bt *bt, uint32_t offset) {
    static const uint8_t pushf_pop[] = {0x9c, 0x41, 0x58};

    if (offset < bt->blocks_start)
        return 8;
    return memcmp(bt_rw(bt, offset - 1), pushf_pop, sizeof pushf_pop) == 0 ? 8 : 0;
}

bool bt_sample(struct vcpu *v, struct host_regs *regs) {
    struct bt *bt = v->vm->bt;
    struct recovered at;

    if (!in_code(bt, regs) || !recover_at(bt, code_offset(bt, regs), &at) || !at.block)
        return false;
    bool young = key_user(at.block->key) && mmu_view_may_grow(v); /* its window may be due */
    bool warm = heat_sample(bt, at.block);
    if (bt->heated || young)
        bt_kick(v, regs);
    return warm || young;
}

void bt_intr(struct vcpu *v) {
    if (v->ifl) {
        bt_kick(v, NULL);
        return;
    }
    /* the code that runs loads R13 from jc_now, which stays */
    v->jc_sti = (uint64_t)(uintptr_t)v->vm->bt->poison;
    v->sti_exits = true;
}

void bt_kick(struct vcpu *v, struct host_regs *regs) {
    struct bt *bt = v->vm->bt;

    bool translated = regs && in_code(bt, regs);

    bt->kick_ns = host_clock_ns();
    v->vm->kicked = true;
    v->jc_now = v->jc_sti = (uint64_t)(uintptr_t)bt->poison;
    v->sti_exits = true;
    v->returns_stale = true;
    if (!translated)
        return;
    /* where thunks push and pop C's registers, R13 is C's */
    if (!returns_on_stack(v, regs->gpr[RSP]))
        return;
    regs->gpr[REG_JUMP_CACHE] = (uint64_t)(uintptr_t)bt->poison;
    returns_scrub(v, regs->gpr[RSP] + temporaries(bt, code_offset(bt, regs)));
    /* a long REP would not poll for a while: leave between two of its elements */
    struct recovered at;
    if (!recover_at(bt, code_offset(bt, regs), &at))
        return;
    if (at.fix == FIX_STRING) {
        fault_save_state(v, regs, &at);
        v->sysflags |= EFL_RF; /* as string_yield() */
        leave(bt, v, regs);
    }
}
