/*
 * Taking samples (profile.h).
 *
 * An exception handler runs with all signals blocked: a sample that falls due meanwhile would only
 * be taken behind it, in translated code, and shadow misses would seem to cost nothing. So the
 * handler lets SIGPROF through while it works. What an exception is about shows only then; a sample
 * taken before waits in `early` for it.
 */
#include "host/process/profile.h"

#include <signal.h>
#include <time.h>

#include "bt/bt.h"
#include "host/process/clock.h"
#include "host/process/guest_stack.h"
#include "host/process/rt_syscall.h"
#include "host/process/symbols.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "vmm/activity.h"
#include "vmm/vm.h"

enum { PERIOD_NS = 1003009 /* 997 Hz: in step with no guest's clock */, PROBES = 64 };

struct profile profile = {.timer = -1};

static struct vm *subject; /* NULL: not sampling */
static bool asleep;
static const struct host_regs *exception; /* being handled: what it interrupted */
static uint64_t resumed;                  /* where the last one has let the guest go on */
static struct profile_entry early;
static bool early_waits;

static void count(const struct profile_entry *e) {
    const uint8_t *bytes = (const uint8_t *)e;
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *e; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t n = (hash + i) % PROFILE_ENTRIES;
        if (profile.counts[n] == 0)
            profile.entries[n] = *e;
        else if (memcmp(&profile.entries[n], e, sizeof *e) != 0)
            continue;
        profile.counts[n]++;
        return;
    }
    profile.lost++;
}

static enum profile_mode mode_of(const struct bt_place *place) {
    if (place->real)
        return place->cpl == 3 ? PROFILE_VM86 : PROFILE_REAL;
    return (enum profile_mode)place->cpl;
}

/* Equal for all of a function if its name is known by now, so that the table stays small. */
static uint32_t coarse(enum profile_mode mode, uint32_t gla) {
    uint32_t start;
    if (symbols_start(gla, &start))
        return start;
    /* a kernel's may still get names; a user program's hardly ever do */
    return mode == PROFILE_RING0 ? gla : gla & PAGE_MASK;
}

/* Whether it is a page that user code cannot reach. What an interrupt has pushed is no frame: the
 * chain goes on with EBP of the user code that was interrupted. */
static bool kernel_page(const struct vcpu *v, uint32_t gla) {
    struct gwalk w;
    bool accessed;
    return !gwalk_paging(v) || (gwalk_peek(v, gla, MMU_R, &w, &accessed) && !w.user);
}

static void add_callers(struct profile_entry *e, const struct bt_place *place) {
    const struct vcpu *v = &subject->vcpu;
    uint32_t callers[PROFILE_FRAMES - 1], reached = place->esp, start;
    bool kernel = kernel_page(v, place->gla);
    unsigned n = 0;
    if (symbols_start(place->gla, &start)) {
        callers[0] = guest_stack_leaf(v, start, place->gla, place->esp);
        n = callers[0] != 0;
    }
    n += guest_stack_walk(v, place->ebp, &reached, callers + n, PROFILE_FRAMES - 1 - n);
    for (unsigned i = 0; i < n && kernel_page(v, callers[i]) == kernel; i++)
        e->place[e->frames++] = coarse(e->mode, callers[i] - 1) + 1;
}

static void describe(struct profile_entry *e, const struct host_regs *regs) {
    const struct vcpu *v = &subject->vcpu;
    struct bt_place place;
    enum bt_work work = bt_locate(subject, exception ? exception : regs, &place);
    bool vmm = exception || work != BT_TRANSLATED;
    *e = (struct profile_entry){.mode = (uint8_t)mode_of(&place), .frames = 1};
    e->place[0] = coarse(e->mode, place.gla);
    e->activity = vmm || regs->rip == resumed ? (uint16_t)v->activity : PROFILE_TRANSLATED;
    if (vmm)
        symbols_own_start(regs->rip, &e->own);
    if (work == BT_LEAVING) /* v->activity is left over */
        e->activity = ACTIVITY_RUN_LOOP;
    if (e->activity < ACTIVITY_CALLOUTS && bt_callout_does_io(e->activity))
        e->port = v->activity_port;
    if (e->mode == PROFILE_RING0)
        add_callers(e, &place);
}

void profile_sample(const struct host_regs *regs) {
    struct profile_entry e;
    if (subject == NULL || asleep)
        return;
    describe(&e, regs);
    resumed = 0;
    if (exception && e.activity == ACTIVITY_EXCEPTION && !early_waits) {
        early = e;
        early.own = 0; /* it is still the host kernel, mostly */
        early_waits = true;
        return;
    }
    count(&e);
}

static void block_sigprof(int how) {
    uint64_t set = 1ull << (SIGPROF - 1);
    rt_syscall4(SYS_rt_sigprocmask, how, (long)&set, 0, sizeof set);
}

void profile_exception_begin(const struct host_regs *regs) {
    if (subject == NULL)
        return;
    exception = regs;
    subject->vcpu.activity = ACTIVITY_EXCEPTION;
    block_sigprof(SIG_UNBLOCK);
}

void profile_exception_end(const struct host_regs *regs) {
    if (subject == NULL)
        return;
    block_sigprof(SIG_BLOCK);
    exception = NULL;
    resumed = regs->rip;
    if (early_waits) {
        early.activity = (uint16_t)subject->vcpu.activity;
        count(&early);
        early_waits = false;
    }
}

void profile_start(const struct vm *vm) {
    if (profile.timer < 0)
        return;
    subject = (struct vm *)vm;
    clock_set_timer(profile.timer, PERIOD_NS, PERIOD_NS);
}

void profile_stop(void) {
    if (profile.timer < 0)
        return;
    clock_set_timer(profile.timer, 0, 0);
    subject = NULL; /* a signal may still be on its way */
}

/* The timer stands still in a long sleep and goes on where it was: a guest that wakes up for less
 * than a period gets its share of samples. */
static uint64_t left;

void profile_sleep_begin(bool long_time) {
    if (subject == NULL)
        return;
    asleep = true;
    if (long_time)
        left = clock_set_timer(profile.timer, 0, 0);
}

void profile_sleep_end(bool long_time) {
    if (subject == NULL)
        return;
    if (long_time)
        clock_set_timer(profile.timer, left != 0 ? left : PERIOD_NS, PERIOD_NS);
    asleep = false;
}

void profile_poll(void) {
    if (subject == NULL)
        return;
    asleep = true; /* the search is the profiler's own */
    symbols_learn();
    asleep = false;
}
