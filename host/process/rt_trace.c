/*
 * Trace lines of the core (host_log and host_log_guest_code, log.h): places get their names, the
 * filter is applied.
 */
#include "bt/bt.h"
#include "host/host.h"
#include "host/process/log.h"
#include "host/process/report.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "mmu/mmu.h"
#include "vmm/vm.h"

enum { BLOCK_BYTES_MAX = 512 };

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

/* What stands above a block's instructions. */
static void log_block(const struct vcpu *v, uint32_t gla) {
    char line[LOG_LINE_BYTES];
    struct text t;

    log_line("----------------");
    text_begin(&t, line, sizeof line);
    text_add(&t, "IN:");
    symbols_add_place(&t, gla);
    text_add(&t, " cs:eip %04x:%08x cpl %u cr3 %08x", v->seg[SEG_CS].sel, gla - v->seg[SEG_CS].base,
             v->cpl, v->cr3);
    log_line(line);
}

void host_log_guest_code(struct vcpu *v, uint32_t gla, const uint8_t *bytes, size_t n,
                         bool code32) {
    uint8_t code[BLOCK_BYTES_MAX];
    uint32_t first = PAGE_SIZE - gla % PAGE_SIZE;

    if (LOG_ON(LOG_GUEST_ERRORS))
        report_guest_panic(v, gla);
    if (!LOG_ON(LOG_IN_ASM) || !dfilter_passes(&log_filter, gla))
        return;
    if (n > sizeof code)
        n = sizeof code;
    if (first > n)
        first = (uint32_t)n;
    memcpy(code, bytes, first);
    n = first + mmu_peek(v, gla + first, code + first, (uint32_t)n - first);
    log_block(v, gla);
    log_guest_insns(gla, code, n, code32);
}
