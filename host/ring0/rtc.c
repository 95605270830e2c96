/*
 * MC146818 real-time clock (Motorola datasheet, "Time, calendar and alarm locations").
 */
#include "host/ring0/rtc.h"

#include <stdbool.h>

#include "host/host.h"
#include "host/ring0/cpu_ops.h"

enum { INDEX = 0x70, DATA = 0x71 };
enum { SECONDS = 0, MINUTES = 2, HOURS = 4, DAY = 7, MONTH = 8, YEAR = 9, REG_A = 10, REG_B = 11 };
enum { A_UPDATING = 0x80, B_BINARY = 0x04, B_24_HOURS = 0x02, PM = 0x80, TRIES = 1000 };

static uint8_t read(uint8_t reg) {
    out8(INDEX, reg);
    return in8(DATA);
}

struct reading {
    uint8_t field[6]; /* seconds, minutes, hours, day, month, year */
};

static struct reading read_once(void) {
    static const uint8_t regs[6] = {SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR};
    struct reading r;

    for (unsigned tries = 0; read(REG_A) & A_UPDATING && tries < TRIES; tries++)
        __asm__ volatile("pause");
    for (unsigned i = 0; i < 6; i++)
        r.field[i] = read(regs[i]);
    return r;
}

static unsigned from_bcd(uint8_t value, bool binary) {
    return binary ? value : (value >> 4) * 10u + (value & 15u);
}

/* Days from 1970-01-01, the Gregorian calendar's year beginning in March. */
static int64_t days(int64_t year, unsigned month, unsigned day) {
    int64_t y = month <= 2 ? year - 1 : year;
    unsigned m = month <= 2 ? month + 9 : month - 3;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int64_t rtc_read(void) {
    struct reading r = read_once();

    for (unsigned tries = 0; tries < TRIES; tries++) { /* until two in a row agree */
        struct reading again = read_once();
        if (memcmp(&r, &again, sizeof r) == 0)
            break;
        r = again;
    }
    uint8_t mode = read(REG_B);
    bool binary = mode & B_BINARY;
    unsigned hour = from_bcd(r.field[2] & 0x7f, binary);
    if (!(mode & B_24_HOURS))
        hour = hour % 12 + (r.field[2] & PM ? 12 : 0);
    int64_t day = days(2000 + (int64_t)from_bcd(r.field[5], binary), from_bcd(r.field[4], binary),
                       from_bcd(r.field[3], binary));
    return ((day * 24 + hour) * 60 + from_bcd(r.field[1], binary)) * 60 +
           from_bcd(r.field[0], binary);
}
