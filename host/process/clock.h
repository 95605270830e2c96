/*
 * Time and sleep: host_clock_ns, host_timer_arm, host_wait (host/host.h). clock.c sets up,
 * rt_clock.c serves the running guest.
 */
#ifndef HOST_PROCESS_CLOCK_H
#define HOST_PROCESS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Creates the timers (SIGALRM to this thread) and starts measuring the TSC. Call early. False: the
 * host has no timers left. */
bool clock_setup(void);

/* Starts and stops the kick every 10 ms at which input is looked for and output written. */
void clock_poll_kick(bool on);

/* A kernel timer that sends a signal to this thread; -1: none left. */
int clock_create_timer(int sig);
/* Sets one to fire in `first` ns (0: never) and then every `interval` ns. Returns in how many ns it
 * would have fired else; 0: not at all. Async-signal-safe. */
uint64_t clock_set_timer(int timer, uint64_t first, uint64_t interval);

/* Ends a host_wait under way, or the next one. Async-signal-safe. */
void clock_wake(void);

/* Between clock.c and rt_clock.c. */
extern int clock_deadline_timer, clock_poll_timer, clock_wake_fd;
extern uint64_t clock_tsc_hz;

#endif
