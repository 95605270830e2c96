/*
 * The machine's wall clock.
 */
#ifndef HOST_RING0_RTC_H
#define HOST_RING0_RTC_H

#include <stdint.h>

/* Seconds since 1970-01-01, taking the RTC to run on UTC. */
int64_t rtc_read(void);

#endif
