/* Time registers of the MC146818; see rtc_time.h. */
#include "devices/rtc_time.h"

#include "devices/calendar.h"

#define PM          0x80u /* in the hours, 12-hour mode */
#define DONT_CARE   0xc0u /* alarm bytes from C0h to FFh match anything */
#define NEVER_EQUAL 0xff
#define MAX_ADVANCE (UINT64_C(1) << 40) /* seconds; keeps hostile arithmetic in range */

static unsigned decode(const uint8_t *cmos, uint8_t raw) {
    return cmos[RTC_B] & RTC_B_DM ? raw : (raw >> 4) * 10u + (raw & 15u);
}

static uint8_t encode(const uint8_t *cmos, unsigned value) {
    return (uint8_t)(cmos[RTC_B] & RTC_B_DM ? value : value / 10 << 4 | value % 10);
}

static unsigned decode_hour(const uint8_t *cmos, uint8_t raw) {
    if (cmos[RTC_B] & RTC_B_24)
        return decode(cmos, raw);
    unsigned hour = decode(cmos, raw & 0x7f);
    return hour % 12 + (raw & PM ? 12 : 0);
}

static uint8_t encode_hour(const uint8_t *cmos, unsigned hour) {
    if (cmos[RTC_B] & RTC_B_24)
        return encode(cmos, hour);
    return encode(cmos, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? PM : 0);
}

static unsigned clamp(unsigned value, unsigned low, unsigned high) {
    return value < low ? low : value > high ? high : value;
}

static void read_registers(const uint8_t *cmos, struct calendar *c) {
    c->second = clamp(decode(cmos, cmos[RTC_SECONDS]), 0, 59);
    c->minute = clamp(decode(cmos, cmos[RTC_MINUTES]), 0, 59);
    c->hour = clamp(decode_hour(cmos, cmos[RTC_HOURS]), 0, 23);
    c->day = clamp(decode(cmos, cmos[RTC_DAY]), 1, 31);
    c->month = clamp(decode(cmos, cmos[RTC_MONTH]), 1, 12);
    c->year = clamp(decode(cmos, cmos[RTC_CENTURY]), 0, 99) * 100 +
              clamp(decode(cmos, cmos[RTC_YEAR]), 0, 99);
    c->weekday = clamp(cmos[RTC_WEEKDAY], 1, 7);
}

static void write_registers(uint8_t *cmos, const struct calendar *c) {
    cmos[RTC_SECONDS] = encode(cmos, c->second);
    cmos[RTC_MINUTES] = encode(cmos, c->minute);
    cmos[RTC_HOURS] = encode_hour(cmos, c->hour);
    cmos[RTC_WEEKDAY] = (uint8_t)c->weekday;
    cmos[RTC_DAY] = encode(cmos, c->day);
    cmos[RTC_MONTH] = encode(cmos, c->month);
    cmos[RTC_YEAR] = encode(cmos, c->year % 100);
    cmos[RTC_CENTURY] = encode(cmos, c->year / 100);
}

void rtc_time_set(uint8_t *cmos, int64_t seconds) {
    struct calendar c;
    calendar_from_seconds(&c, seconds);
    write_registers(cmos, &c);
}

void rtc_time_add(uint8_t *cmos, uint64_t seconds) {
    struct calendar old, new;
    if (seconds > MAX_ADVANCE)
        seconds = MAX_ADVANCE;
    read_registers(cmos, &old);
    int64_t before = calendar_to_seconds(&old);
    calendar_from_seconds(&new, before + (int64_t)seconds);
    /* The chip counts weekdays by themselves: software may have set any. */
    uint64_t in_day = old.hour * 3600u + old.minute * 60u + old.second;
    uint64_t days = (in_day + seconds) / 86400;
    new.weekday = (unsigned)((old.weekday - 1 + days) % 7 + 1);
    write_registers(cmos, &new);
}

/* An alarm byte as a value to compare with, or -1 for one that matches anything. */
static int wanted(const uint8_t *cmos, unsigned reg) {
    uint8_t raw = cmos[reg];
    if ((raw & DONT_CARE) == DONT_CARE)
        return -1;
    unsigned value = reg == RTC_HOURS_ALARM ? decode_hour(cmos, raw) : decode(cmos, raw);
    return value < 60 ? (int)value : NEVER_EQUAL;
}

uint32_t rtc_time_until_alarm(const uint8_t *cmos) {
    struct calendar now;
    int hour = wanted(cmos, RTC_HOURS_ALARM);
    int minute = wanted(cmos, RTC_MINUTES_ALARM);
    int second = wanted(cmos, RTC_SECONDS_ALARM);
    read_registers(cmos, &now);
    uint32_t start = now.hour * 3600 + now.minute * 60 + now.second;
    /* Skips whole hours and minutes that cannot match: at most 25 + 61 + 61 steps. */
    for (uint32_t t = start + 1; t <= start + 86400;) {
        uint32_t in_day = t % 86400;
        if (hour >= 0 && in_day / 3600 != (uint32_t)hour)
            t += 3600 - in_day % 3600;
        else if (minute >= 0 && in_day / 60 % 60 != (uint32_t)minute)
            t += 60 - in_day % 60;
        else if (second >= 0 && in_day % 60 != (uint32_t)second)
            t++;
        else
            return t - start;
    }
    return 0;
}
