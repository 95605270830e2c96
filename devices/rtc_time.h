/*
 * The time, date and alarm registers of the MC146818: BCD or binary, 12 or 24 hours.
 */
#ifndef DEVICES_RTC_TIME_H
#define DEVICES_RTC_TIME_H

#include <stdint.h>

#define RTC_SECONDS       0x00u
#define RTC_SECONDS_ALARM 0x01u
#define RTC_MINUTES       0x02u
#define RTC_MINUTES_ALARM 0x03u
#define RTC_HOURS         0x04u
#define RTC_HOURS_ALARM   0x05u
#define RTC_WEEKDAY       0x06u
#define RTC_DAY           0x07u
#define RTC_MONTH         0x08u
#define RTC_YEAR          0x09u
#define RTC_A             0x0au
#define RTC_B             0x0bu
#define RTC_C             0x0cu
#define RTC_D             0x0du
#define RTC_CENTURY       0x32u

#define RTC_B_DM 0x04u /* binary rather than BCD */
#define RTC_B_24 0x02u

/* Moves the time registers in cmos forward by whole seconds. Registers that hold no valid time or
 * date are read as the nearest sensible one. */
void rtc_time_add(uint8_t *cmos, uint64_t seconds);
/* Puts seconds since 1970 into the registers, weekday and century too. */
void rtc_time_set(uint8_t *cmos, int64_t seconds);
/* In how many seconds (1 to 86400) the time next equals the alarm; 0: never. */
uint32_t rtc_time_until_alarm(const uint8_t *cmos);

#endif
