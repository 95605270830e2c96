/*
 * Virtual time: one monotonic clock from which every device's time derives, and timers on it.
 *
 * Time is in nanoseconds since clock_create(). It runs with host_clock_ns() also while the guest is
 * not scheduled; devices with periodic interrupts then owe the guest ticks, which struct tick_debt
 * pays back at a bounded rate.
 *
 * Invariants: the timer list is sorted by deadline; clock.armed is never later than the first
 * deadline, so the host always wakes us in time (it may wake us early).
 */
#ifndef VMM_CLOCK_H
#define VMM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_SECOND 1000000000u
#define CLOCK_NEVER   UINT64_MAX

struct vtimer {
    struct vtimer *next;
    uint64_t deadline;
    void (*fn)(void *dev, uint64_t now);
    void *dev;
    bool queued;
};

struct vclock {
    uint64_t origin; /* host_clock_ns() at time 0 */
    uint64_t armed;  /* virtual time for which the host timer is armed, CLOCK_NEVER if none */
    uint64_t floor;  /* while timers run: what they set must lie after this; else 0 */
    struct vtimer *first;
};

/* Starts the clock at 0 without timers. */
void clock_create(struct vclock *c);
/* Nanoseconds since clock_create. */
uint64_t clock_now(const struct vclock *c);

/* Prepares a timer; fn(dev, now) will run from clock_run. */
void clock_timer_init(struct vtimer *t, void (*fn)(void *dev, uint64_t now), void *dev);
/* Sets or moves a timer to a virtual time; CLOCK_NEVER cancels it. A time in the past is due now.
 */
void clock_timer_set(struct vclock *c, struct vtimer *t, uint64_t deadline);
void clock_timer_cancel(struct vclock *c, struct vtimer *t);

/* Runs each timer that is due once, and arms the host timer for the next. A timer that sets itself
 * anew runs in a later call, so this always ends. */
void clock_run(struct vclock *c);
/* The next deadline as a host_clock_ns() time, UINT64_MAX if there is no timer. */
uint64_t clock_next_host_deadline(const struct vclock *c);

/* How many whole ticks of a counter at hz fit in ns. hz < 2^33. */
uint64_t clock_to_ticks(uint64_t ns, uint64_t hz);
/* The first time (ns) at which clock_to_ticks gives at least `ticks`. */
uint64_t clock_from_ticks(uint64_t ticks, uint64_t hz);

/*
 * Periodic interrupts the guest has not had yet. Each is paid by one interrupt, not sooner than a
 * gap after the one before; the debt is forgotten beyond one second's worth.
 */
struct tick_debt {
    uint64_t owed;
    uint64_t paid_at; /* time of the last interrupt */
};

/* Adds n ticks of a source with this period (ns, not 0). */
void tick_debt_add(struct tick_debt *d, uint64_t n, uint64_t period);
/* When the next owed tick may be paid: CLOCK_NEVER if none is owed. */
uint64_t tick_debt_due(const struct tick_debt *d, uint64_t period);
/* Pays one owed tick at time now if that is allowed: true if so. */
bool tick_debt_pay(struct tick_debt *d, uint64_t now, uint64_t period);

#endif
