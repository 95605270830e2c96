/* Virtual time and its timers; see clock.h. */
#include "vmm/clock.h"

#include <stddef.h>

#include "host/host.h"

/* Owed ticks come at most at twice the natural rate, but never slower than this gap allows ... */
#define GAP_MAX_NS 500000u
/* ... and no source interrupts more often than this, whatever period the guest programs. */
#define GAP_MIN_NS 50000u

void clock_create(struct vclock *c) {
    c->origin = host_clock_ns();
    c->armed = CLOCK_NEVER;
    c->floor = 0;
    c->first = NULL;
}

uint64_t clock_now(const struct vclock *c) {
    return host_clock_ns() - c->origin;
}

static void arm_host(struct vclock *c, uint64_t deadline) {
    c->armed = deadline;
    host_timer_arm(deadline + c->origin);
}

void clock_timer_init(struct vtimer *t, void (*fn)(void *dev, uint64_t now), void *dev) {
    *t = (struct vtimer){.fn = fn, .dev = dev};
}

void clock_timer_cancel(struct vclock *c, struct vtimer *t) {
    if (!t->queued)
        return;
    struct vtimer **link = &c->first;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    t->queued = false;
}

void clock_timer_set(struct vclock *c, struct vtimer *t, uint64_t deadline) {
    clock_timer_cancel(c, t);
    if (deadline == CLOCK_NEVER)
        return;
    if (deadline < c->floor)
        deadline = c->floor;
    struct vtimer **link = &c->first;
    while (*link && (*link)->deadline <= deadline)
        link = &(*link)->next;
    t->deadline = deadline;
    t->next = *link;
    t->queued = true;
    *link = t;
    if (deadline < c->armed && c->floor == 0)
        arm_host(c, deadline);
}

void clock_run(struct vclock *c) {
    uint64_t now = clock_now(c);
    c->floor = now + 1;
    while (c->first && c->first->deadline <= now) {
        struct vtimer *t = c->first;
        c->first = t->next;
        t->queued = false;
        t->fn(t->dev, now);
    }
    c->floor = 0;
    if (c->armed <= now)
        c->armed = CLOCK_NEVER;
    if (c->first && c->first->deadline < c->armed)
        arm_host(c, c->first->deadline);
}

uint64_t clock_next_host_deadline(const struct vclock *c) {
    return c->first ? c->first->deadline + c->origin : UINT64_MAX;
}

uint64_t clock_to_ticks(uint64_t ns, uint64_t hz) {
    return ns / NS_PER_SECOND * hz + ns % NS_PER_SECOND * hz / NS_PER_SECOND;
}

uint64_t clock_from_ticks(uint64_t ticks, uint64_t hz) {
    return ticks / hz * NS_PER_SECOND + (ticks % hz * NS_PER_SECOND + hz - 1) / hz;
}

static uint64_t gap(uint64_t period) {
    uint64_t half = period / 2;
    return half > GAP_MAX_NS ? GAP_MAX_NS : half < GAP_MIN_NS ? GAP_MIN_NS : half;
}

void tick_debt_add(struct tick_debt *d, uint64_t n, uint64_t period) {
    uint64_t most = NS_PER_SECOND / period + 1;
    d->owed = n > most || d->owed + n > most ? most : d->owed + n;
}

uint64_t tick_debt_due(const struct tick_debt *d, uint64_t period) {
    return d->owed ? d->paid_at + gap(period) : CLOCK_NEVER;
}

bool tick_debt_pay(struct tick_debt *d, uint64_t now, uint64_t period) {
    if (now < tick_debt_due(d, period))
        return false;
    d->owed--;
    d->paid_at = now;
    return true;
}
