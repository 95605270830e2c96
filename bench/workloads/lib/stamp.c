/* Prints "begin N SECONDS" or "end N SECONDS STATUS", the time by CLOCK_MONOTONIC: as late as
 * possible for a begin, as early as possible for an end.
 *
 * The reader compares the difference with its own clock at the lines. It needs both: lines can be
 * held back by some milliseconds on their way through a serial port, and a guest's clock can be
 * wrong.
 */
#include "rt.h"

enum { SYS_CLOCK_GETTIME = 265, CLOCK_MONOTONIC = 1, NANOSECOND_DIGITS = 9 };

static char line[80];
static uint32_t used;

static void put(char c) {
    line[used++] = c;
}

static void put_text(const char *text) {
    while (*text != 0 && used < sizeof line / 2)
        put(*text++);
}

static void put_number(uint32_t value, int digits) {
    if (digits > 1 || value >= 10)
        put_number(value / 10, digits - 1);
    put((char)('0' + value % 10));
}

static void flush(void) {
    sys3(SYS_WRITE, 1, (uint32_t)line, used);
    used = 0;
}

uint32_t workload(uint32_t number) {
    uint32_t now[2] = {0, 0};
    if (rt_argc < 3)
        rt_die("usage: stamp NUMBER begin|end [STATUS]");
    int begin = rt_argc == 3;
    if (!begin)
        sys3(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (uint32_t)now, 0);
    put_text(rt_argv[2]);
    put(' ');
    put_number(number, 1);
    put(' ');
    if (begin) {
        flush();
        sys3(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (uint32_t)now, 0);
    }
    put_number(now[0], 1);
    put('.');
    put_number(now[1], NANOSECOND_DIGITS);
    if (!begin) {
        put(' ');
        put_text(rt_argv[3]);
    }
    put('\n');
    flush();
    rt_exit(0);
}
