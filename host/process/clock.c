/*
 * Setting up time (clock.h): two kernel timers, and the first look at the TSC.
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

bool clock_setup(void) {
    clock_deadline_timer = clock_create_timer(SIGALRM);
    clock_sample_timer = clock_create_timer(SIGVTALRM);
    clock_wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    clock_tsc_begin();
    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* a guest's sleep must not end 50 us late */
    return clock_deadline_timer >= 0 && clock_sample_timer >= 0 && clock_wake_fd >= 0;
}
