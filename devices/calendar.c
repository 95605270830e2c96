/*
 * Gregorian calendar; see calendar.h. Years are counted from March, so that the leap day is the
 * last of its year and the lengths of the months before a date do not depend on the year.
 */
#include "devices/calendar.h"

#define SECONDS_PER_DAY 86400
#define DAYS_PER_400Y   146097 /* the calendar repeats after this */
#define DAY_1970        719468 /* days from 0000-03-01 to 1970-01-01 */

/* Days in a year that starts in March before the start of its month m (0 = March). */
static int64_t days_before_month(int64_t m) {
    return (153 * m + 2) / 5;
}

static int64_t days_before_year(int64_t y) {
    return 365 * y + y / 4 - y / 100 + y / 400;
}

int64_t calendar_to_seconds(const struct calendar *c) {
    int64_t m = (c->month + 9) % 12;
    int64_t y = (int64_t)c->year + 400 - (c->month <= 2);
    int64_t days = days_before_year(y) + days_before_month(m) + c->day - 1;
    days -= DAYS_PER_400Y + DAY_1970;
    return days * SECONDS_PER_DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

void calendar_from_seconds(struct calendar *c, int64_t seconds) {
    int64_t cycle = (int64_t)25 * DAYS_PER_400Y; /* 10000 years */
    int64_t days = seconds / SECONDS_PER_DAY, rest = seconds % SECONDS_PER_DAY;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    days = ((days + DAY_1970) % cycle + cycle) % cycle;

    int64_t y = days * 400 / DAYS_PER_400Y; /* right, or one too many */
    if (days_before_year(y) > days)
        y--;
    else if (days_before_year(y + 1) <= days)
        y++;
    int64_t in_year = days - days_before_year(y);
    int64_t m = (5 * in_year + 2) / 153;

    c->month = (unsigned)((m + 2) % 12 + 1);
    c->year = (unsigned)((y + (c->month <= 2)) % 10000);
    c->day = (unsigned)(in_year - days_before_month(m) + 1);
    c->hour = (unsigned)(rest / 3600);
    c->minute = (unsigned)(rest / 60 % 60);
    c->second = (unsigned)(rest % 60);
    c->weekday = (unsigned)((days + 3) % 7 + 1); /* 0000-03-01 was a Wednesday */
}
