/*
 * The trace filter (dfilter.h).
 */
#include "host/process/dfilter.h"

#include "host/host.h"
#include "host/process/symbols.h"
#include "host/process/text.h"

static unsigned digit(char c) {
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

/* Reads a number up to `end` from *p. False: there is none of at most 32 bits. */
static bool take_number(const char **p, const char *end, uint64_t *out) {
    unsigned base = 10;
    if (end - *p > 2 && (*p)[0] == '0' && ((*p)[1] == 'x' || (*p)[1] == 'X')) {
        base = 16;
        *p += 2;
    }
    const char *start = *p;
    *out = 0;
    for (; *p < end && digit(**p) < base; (*p)++) {
        *out = *out * base + digit(**p);
        if (*out > UINT32_MAX)
            return false;
    }
    return *p > start;
}

static bool take_range(const char *p, const char *end, struct dfilter_item *item) {
    uint64_t start, other;
    if (!take_number(&p, end, &start) || p == end)
        return false;
    char sign = *p++;
    if (sign == '.' && (p == end || *p++ != '.'))
        return false;
    if (!take_number(&p, end, &other) || p != end)
        return false;
    uint64_t first = start, last = other;
    if (sign == '+') {
        last = start + other - 1;
    } else if (sign == '-') {
        first = start - other;
        last = start - 1;
    } else if (sign != '.') {
        return false;
    }
    *item = (struct dfilter_item){.first = (uint32_t)first, .last = (uint32_t)last};
    return first <= last && last <= UINT32_MAX;
}

static bool take_item(const char *p, const char *end, struct dfilter_item *item) {
    size_t n = (size_t)(end - p);
    if (n > 0 && digit(*p) < 10)
        return take_range(p, end, item);
    if (n == 0 || n >= sizeof item->name)
        return false;
    *item = (struct dfilter_item){0};
    memcpy(item->name, p, n);
    return true;
}

bool dfilter_parse(struct dfilter *f, const char *list, char message[OPTIONS_MESSAGE]) {
    struct text t;
    text_begin(&t, message, OPTIONS_MESSAGE);
    f->count = 0;
    for (const char *p = list;; p++) {
        const char *end = p;
        while (*end != '\0' && *end != ',')
            end++;
        if (f->count == DFILTER_ITEMS) {
            text_add(&t, "-dfilter: more than %d items", DFILTER_ITEMS);
            return false;
        }
        if (!take_item(p, end, &f->items[f->count++])) {
            text_add(&t,
                     "-dfilter: '%.*s' is not one of START+LENGTH, START-LENGTH, START..LAST, "
                     "SYMBOL",
                     (int)(end - p > 40 ? 40 : end - p), p);
            return false;
        }
        p = end;
        if (*p == '\0')
            return true;
    }
}

static bool same(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

bool dfilter_passes(const struct dfilter *f, uint32_t gla) {
    struct symbol_place place;
    for (unsigned i = 0; i < f->count; i++) {
        const struct dfilter_item *item = &f->items[i];
        if (item->name[0] == '\0' ? gla >= item->first && gla <= item->last
                                  : symbols_find(gla, &place) && same(place.name, item->name))
            return true;
    }
    return f->count == 0;
}
