/*
 * Taking samples (sample.h).
 */
#include "host/ring0/sample.h"

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/profile.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "host/ring0/channel.h"
#include "host/ring0/heap.h"
#include "host/ring0/layout.h"
#include "host/ring0/service.h"
#include "host/ring0/trap.h"
#include "host/ring0/user.h"
#include "vmm/activity.h"
#include "vmm/vm.h"

_Static_assert((int)SAMPLE_PERIOD_NS == (int)PROFILE_PERIOD_NS, "one period for both hosts");

static struct vm *subject; /* NULL: no profile is wanted */
static volatile bool running;
static uint64_t next_ns; /* when a sample is due */

/* What a trap has interrupted, as long as it is there to be seen. */
struct interrupted {
    struct bt_place place;
    enum bt_work work;
    uint64_t rip;
    unsigned ring;
    bool exception;
};

bool sample_create(const struct vm *vm) {
    profile.entries = host_alloc(PROFILE_ENTRIES * sizeof *profile.entries);
    profile.counts = host_alloc(PROFILE_ENTRIES * sizeof *profile.counts);
    subject = (struct vm *)vm;
    return profile.entries != NULL && profile.counts != NULL;
}

void sample_start(void) {
    next_ns = host_clock_ns() + SAMPLE_PERIOD_NS;
    running = subject != NULL;
}

void sample_stop(void) {
    running = false;
}

void sample_poll(void) {
    if (!running)
        return;
    running = false; /* the search is the profiler's own */
    symbols_learn();
    running = true;
}

static void look(struct interrupted *at, const struct trap_frame *f) {
    struct host_regs r = {.rip = f->rip, .rflags = f->rflags};

    *at =
        (struct interrupted){.rip = f->rip, .ring = f->cs & 3, .exception = f->vector < VECTOR_PIC};
    if (at->ring == 3) {
        at->place = (struct bt_place){.gla = user_place(f), .cpl = 3};
        at->work = BT_TRANSLATED;
        return;
    }
    memcpy(r.gpr, f->gpr, sizeof r.gpr);
    at->work = bt_locate(subject, &r, &at->place);
}

static void take(const struct interrupted *at) {
    struct vcpu *v = &subject->vcpu;
    bool vmm = at->work != BT_TRANSLATED;
    unsigned activity = vmm || at->exception ? v->activity : (unsigned)PROFILE_TRANSLATED;
    struct profile_entry e;

    if (at->work == BT_LEAVING) /* v->activity is left over */
        activity = ACTIVITY_RUN_LOOP;
    else if (at->ring == 3 && activity == ACTIVITY_EXCEPTION) /* nobody said more about it */
        activity = ACTIVITY_DELIVER;
    profile_describe(&e, subject, &at->place, activity, vmm ? at->rip : 0);
    profile_count(&e);
}

/* The guest waits in ring 0: that is no running time. */
static void wait_in_trap(struct trap_frame *f) {
    uint64_t now = host_clock_ns();
    uint64_t left = next_ns > now ? next_ns - now : 0;

    trap_handle(f);
    next_ns = host_clock_ns() + left;
}

void sample_trap(struct trap_frame *f) {
    struct interrupted at;
    struct vcpu *v = &subject->vcpu;

    if (!running || (f->cs & 3) == 0) { /* from ring 0: a wait, or a page touched first */
        trap_handle(f);
        return;
    }
    if (f->vector == VECTOR_SERVICE && f->gpr[0] == SERVICE_WAIT) {
        wait_in_trap(f);
        return;
    }
    look(&at, f);
    uint32_t before = v->activity;
    if (at.exception)
        v->activity = ACTIVITY_EXCEPTION;
    trap_handle(f);
    uint64_t now = host_clock_ns();
    if (now >= next_ns) {
        next_ns = now + SAMPLE_PERIOD_NS;
        take(&at);
    }
    if (at.exception && at.work != BT_TRANSLATED) /* memory touched first, by something else */
        v->activity = before;
}

void sample_fold(void) {
    static char line[PROFILE_LINE_BYTES + 24];
    struct text t;

    if (!subject)
        return;
    for (unsigned n = 0; n < PROFILE_ENTRIES; n++) {
        if (profile.counts[n] == 0)
            continue;
        text_begin(&t, line, sizeof line);
        text_add(&t, "%u ", profile.counts[n]);
        profile_add_chain(&t, &profile.entries[n]);
        channel_line(CHANNEL_PROFILE, line);
        profile.counts[n] = 0;
    }
    if (profile.lost > 0) {
        text_begin(&t, line, sizeof line);
        text_add(&t, "%llu", (unsigned long long)profile.lost);
        channel_line(CHANNEL_LOST, line);
        profile.lost = 0;
    }
}
