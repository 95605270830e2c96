/*
 * Seconds since 1970-01-01 00:00:00 to date and time and back, in the Gregorian calendar.
 */
#ifndef DEVICES_CALENDAR_H
#define DEVICES_CALENDAR_H

#include <stdint.h>

struct calendar {
    unsigned year;  /* 0-9999 */
    unsigned month; /* 1-12 */
    unsigned day;   /* 1-31 */
    unsigned hour, minute, second;
    unsigned weekday; /* 1 Sunday - 7 Saturday */
};

/* Years outside 0-9999 wrap. */
void calendar_from_seconds(struct calendar *c, int64_t seconds);
/* Ignores weekday. Days past a month's end count into the next month. */
int64_t calendar_to_seconds(const struct calendar *c);

#endif
