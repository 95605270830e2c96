/*
 * Time and sleep: host_clock_ns, host_timer_arm, host_wait (host/host.h). clock.c sets up,
 * rt_clock.c serves the running guest.
 */
#ifndef HOST_PROCESS_CLOCK_H
#define HOST_PROCESS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Creates the timers (SIGALRM: kick; SIGVTALRM: sample) and starts measuring the TSC. Call early.
 * False: the host has no timers left. */
bool clock_setup(void);

/* Starts and stops samples (bt_sample). */
void clock_sample(bool on);
/* The handler of a sample is done; useful: another is wanted soon, in a millisecond. True: 10 ms
 * have passed, time for a kick, at which input is looked for and output written. Async-signal-safe.
 */
bool clock_sample_next(bool useful);

/* A kernel timer that sends a signal to this thread; -1: none left. */
int clock_create_timer(int sig);
/* Sets one to fire in `first` ns (0: never) and then every `interval` ns. Returns in how many ns it
 * would have fired else; 0: not at all. Async-signal-safe. */
uint64_t clock_set_timer(int timer, uint64_t first, uint64_t interval);

/* Ends a host_wait under way, or the next one. Async-signal-safe. */
void clock_wake(void);

/* Between clock.c and rt_clock.c. */
extern int clock_deadline_timer, clock_sample_timer, clock_wake_fd;
void clock_tsc_begin(void);

#endif
