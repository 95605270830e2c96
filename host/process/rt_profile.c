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
#include "host/process/rt_syscall.h"
#include "host/process/symbols.h"
#include "vmm/activity.h"
#include "vmm/vm.h"

static struct vm *subject; /* NULL: not sampling */
static bool asleep;
static const struct host_regs *exception; /* being handled: what it interrupted */
static uint64_t resumed;                  /* where the last one has let the guest go on */
static struct profile_entry early;
static bool early_waits;

static void describe(struct profile_entry *e, const struct host_regs *regs) {
    struct bt_place place;
    enum bt_work work = bt_locate(subject, exception ? exception : regs, &place);
    bool vmm = exception || work != BT_TRANSLATED;
    unsigned activity =
        vmm || regs->rip == resumed ? subject->vcpu.activity : (unsigned)PROFILE_TRANSLATED;
    if (work == BT_LEAVING) /* v->activity is left over */
        activity = ACTIVITY_RUN_LOOP;
    profile_describe(e, subject, &place, activity, vmm ? regs->rip : 0);
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
    profile_count(&e);
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
        profile_count(&early);
        early_waits = false;
    }
}

void profile_start(const struct vm *vm) {
    if (profile.timer < 0)
        return;
    subject = (struct vm *)vm;
    clock_set_timer(profile.timer, PROFILE_PERIOD_NS, PROFILE_PERIOD_NS);
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
        clock_set_timer(profile.timer, left != 0 ? left : PROFILE_PERIOD_NS, PROFILE_PERIOD_NS);
    asleep = false;
}

void profile_poll(void) {
    if (subject == NULL)
        return;
    asleep = true; /* the search is the profiler's own */
    symbols_learn();
    asleep = false;
}
