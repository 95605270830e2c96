/*
 * Setting up time (clock.h): two kernel timers and the TSC's frequency.
 */
#include "host/process/clock.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/rt_syscall.h"

/* Kernel timer ids, not libc's timer_t: rt_clock.c sets them by raw system call. */
int clock_create_timer(int sig) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = sig};
    event._sigev_un._tid = (pid_t)rt_syscall3(SYS_gettid, 0, 0, 0);
    int id = -1;
    long result = rt_syscall3(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&id);
    return result == 0 ? id : -1;
}

struct instant {
    uint64_t tsc, ns;
};

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

#ifdef RINGONE_SHORT_LIFE
enum { MEASURE_NS = 100000 };
#else
enum { MEASURE_NS = 10000000 };
#endif

/* Two instants 10 ms apart, each good to some 30 ns: better than 10 ppm. */
static uint64_t measure_tsc(void) {
    struct instant first = read_instant(), last;
    do
        last = read_instant();
    while (last.ns - first.ns < MEASURE_NS);
    return (uint64_t)((unsigned __int128)(last.tsc - first.tsc) * 1000000000u /
                      (last.ns - first.ns));
}

bool clock_setup(void) {
    clock_deadline_timer = clock_create_timer(SIGALRM);
    clock_sample_timer = clock_create_timer(SIGVTALRM);
    clock_wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    clock_tsc_hz = measure_tsc();
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* a guest's sleep must not end 50 us late */
    return clock_deadline_timer >= 0 && clock_sample_timer >= 0 && clock_wake_fd >= 0;
}
