/*
 * Collecting and writing trace lines (log.h).
 */
#include "host/process/log.h"

#include <errno.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/rt_syscall.h"
#include "host/process/symbols.h"
#include "host/process/text.h"

uint32_t host_log_mask;
int log_fd = STDERR_FILENO;
struct dfilter log_filter;

enum { BUFFER_BYTES = 65536 };

static char buffer[BUFFER_BYTES];
static size_t used;

void log_flush(void) {
    size_t done = 0;
    while (done < used) {
        long n = rt_syscall3(SYS_write, log_fd, (long)(buffer + done), (long)(used - done));
        if (n == -EINTR || n == -EAGAIN)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    used = 0;
}

void log_line(const char *line) {
    if (BUFFER_BYTES - used < LOG_LINE_BYTES)
        log_flush();
    struct text t;
    text_begin(&t, buffer + used, LOG_LINE_BYTES - 1);
    text_add(&t, "%s", line);
    used += t.length;
    if (t.length == 0 || buffer[used - 1] != '\n')
        buffer[used++] = '\n';
}

/* The address in "@c1234567" at p. False: there is no such thing. */
static bool take_place(const char *p, uint32_t *gla) {
    *gla = 0;
    if (*p++ != '@')
        return false;
    for (unsigned i = 0; i < 8; i++, p++) {
        if (*p >= '0' && *p <= '9')
            *gla = *gla << 4 | (uint32_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            *gla = *gla << 4 | (uint32_t)(*p - 'a' + 10);
        else
            return false;
    }
    return true;
}

void host_log(const char *fmt, ...) {
    char raw[LOG_LINE_BYTES], named[LOG_LINE_BYTES];
    struct text t;
    va_list ap;
    va_start(ap, fmt);
    text_begin(&t, raw, sizeof raw);
    text_vadd(&t, fmt, ap);
    va_end(ap);

    bool filtered = log_filter.count > 0, passes = false, placed = false;
    text_begin(&t, named, sizeof named);
    for (const char *p = raw; *p != '\0';) {
        uint32_t gla;
        if (!take_place(p, &gla)) {
            text_add(&t, "%c", *p++);
            continue;
        }
        placed = true;
        passes = passes || (filtered && dfilter_passes(&log_filter, gla));
        text_add(&t, "%08x", gla);
        symbols_add_place(&t, gla);
        p += 9;
    }
    if (!filtered || !placed || passes)
        log_line(named);
}
