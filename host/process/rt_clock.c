/*
 * Time and sleep while the guest runs (clock.h). clock_gettime is served by the vDSO in integer
 * code; everything else is a raw system call.
 */
#include "host/process/clock.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "host/host.h"
#include "host/process/chr.h"
#include "host/process/log.h"
#include "host/process/profile.h"
#include "host/process/rt_syscall.h"

enum { NS_PER_S = 1000000000 };
/* A sample costs a signal, and what that takes from the processor's caches: so they get rare where
 * they tell nothing new. */
enum { SAMPLE_NS = 1000000, POLL_SAMPLES = 10, EAGER_SAMPLES = 16 };

#ifdef RINGONE_SHORT_LIFE
enum { MEASURE_NS = 100000 };
#else
enum { MEASURE_NS = 10000000 };
#endif

int clock_deadline_timer, clock_sample_timer, clock_wake_fd;

struct instant {
    uint64_t tsc, ns;
};
static struct instant begin; /* when time was set up */

static uint64_t armed_at; /* what the deadline timer was last set to; 0: never */

uint64_t host_clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

int64_t host_wall_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec;
}

/* The TSC and the clock read as one: the try with the least time between is the best. */
static struct instant read_instant(void) {
    struct instant best = {0, 0};
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t before = __builtin_ia32_rdtsc();
        uint64_t now = host_clock_ns();
        uint64_t gap = __builtin_ia32_rdtsc() - before;
        if (gap < best_gap) {
            best_gap = gap;
            best = (struct instant){before + gap / 2, now};
        }
    }
    return best;
}

void clock_tsc_begin(void) {
    begin = read_instant();
}

/* Between two instants at least 10 ms apart, each good to some 30 ns: better than 10 ppm. */
uint64_t host_tsc_hz(void) {
    struct instant now;
    do
        now = read_instant();
    while (now.ns - begin.ns < MEASURE_NS);
    return (uint64_t)((unsigned __int128)(now.tsc - begin.tsc) * NS_PER_S / (now.ns - begin.ns));
}

static struct timespec to_timespec(uint64_t ns) {
    return (struct timespec){(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
}

static void set_timer(int id, int flags, uint64_t first, uint64_t interval) {
    struct itimerspec t = {to_timespec(interval), to_timespec(first)};
    if (rt_syscall4(SYS_timer_settime, id, flags, (long)&t, 0) != 0)
        host_panic("the kernel refused to set a timer");
}

uint64_t clock_set_timer(int timer, uint64_t first, uint64_t interval) {
    struct itimerspec t = {to_timespec(interval), to_timespec(first)};
    struct itimerspec before = {0};
    if (rt_syscall4(SYS_timer_settime, timer, 0, (long)&t, (long)&before) != 0)
        host_panic("the kernel refused to set a timer");
    return (uint64_t)before.it_value.tv_sec * NS_PER_S + (uint64_t)before.it_value.tv_nsec;
}

void host_timer_arm(uint64_t deadline_ns) {
    if (deadline_ns == armed_at && deadline_ns > host_clock_ns())
        return;
    armed_at = deadline_ns;
    /* 0 would disarm; a time in the past fires at once. Seconds must stay in time_t's range. */
    bool none = deadline_ns == UINT64_MAX;
    set_timer(clock_deadline_timer, TIMER_ABSTIME, none ? 0 : deadline_ns | 1, 0);
}

/* One shot each: the handler winds the timer up again, unless it has been stopped meanwhile. */
static volatile bool sampling;
static unsigned pace; /* SAMPLE_NS to the next one */

void clock_sample(bool on) {
    pace = 1;
    sampling = on;
    set_timer(clock_sample_timer, 0, on ? SAMPLE_NS : 0, 0);
}

bool clock_sample_next(bool useful) {
    static unsigned since_poll, in_vain;

    since_poll += pace;
    bool poll = since_poll >= POLL_SAMPLES;
    if (poll)
        since_poll = 0;
    in_vain = useful ? 0 : in_vain + 1;
    pace = in_vain < EAGER_SAMPLES ? 1 : POLL_SAMPLES - since_poll;
    if (sampling)
        set_timer(clock_sample_timer, 0, (uint64_t)pace * SAMPLE_NS, 0);
    return poll;
}

void clock_wake(void) {
    static const uint64_t one = 1;
    rt_syscall3(SYS_write, clock_wake_fd, (long)&one, sizeof one);
}

void host_wait(uint64_t deadline_ns) {
    bool input = chr_service();
    log_flush();
    uint64_t now = host_clock_ns();
    if (input || deadline_ns <= now)
        return;
    struct pollfd fds[2 * CHR_CHANNELS + 1];
    unsigned n = chr_poll_set(fds);
    fds[n++] = (struct pollfd){.fd = clock_wake_fd, .events = POLLIN};
    struct timespec timeout = to_timespec(deadline_ns - now);
    /* A long sleep is not to be broken by samples: an idle guest uses no host CPU. */
    bool long_sleep = deadline_ns - now > POLL_SAMPLES * SAMPLE_NS;
    if (long_sleep)
        clock_sample(false);
    profile_sleep_begin(long_sleep);
    rt_syscall5(SYS_ppoll, (long)fds, n, deadline_ns == UINT64_MAX ? 0 : (long)&timeout, 0, 0);
    profile_sleep_end(long_sleep);
    if (long_sleep)
        clock_sample(true);
    chr_service();
}
