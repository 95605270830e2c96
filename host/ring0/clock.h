/*
 * Time: the TSC, the local APIC's timer, and the wall clock at start-up.
 */
#ifndef HOST_RING0_CLOCK_H
#define HOST_RING0_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Measures TSC and APIC timer against the PIT, and reads the RTC. False: the PIT does not count. */
bool clock_init(void);

/* Before clock_init: a running guest is kicked this often; 10 ms if not set. */
void clock_kick_every(uint64_t ns);

/* The timer's interrupt. True: the vCPU is to be kicked (a deadline, or the regular look around).
 */
bool clock_interrupt(void);

/* Ring 0: halts until the deadline, a kick, or serial input. */
void clock_wait(uint64_t deadline_ns);

#endif
