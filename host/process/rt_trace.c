/*
 * Trace lines of the core (host_log, log.h): places get their names, the filter is applied.
 */
#include "host/host.h"
#include "host/process/log.h"
#include "host/process/symbols.h"
#include "host/process/text.h"

uint32_t host_log_mask;
struct dfilter log_filter;

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
