/*
 * Formatting (format.h; ISO C11 7.21.6.1).
 */
#include "host/ring0/format.h"

#include <stdbool.h>
#include <stdint.h>

struct sink {
    char *out;
    size_t size, used;
};

struct spec {
    bool left, zero;
    size_t width, precision;
    bool has_precision;
    unsigned longs; /* 2: 64 bits, as are l and z here */
};

static void put(struct sink *s, char c) {
    if (s->used + 1 < s->size)
        s->out[s->used++] = c;
}

static void pad(struct sink *s, char c, size_t have, size_t width) {
    for (; have < width; have++)
        put(s, c);
}

static void put_field(struct sink *s, const struct spec *f, const char *text, size_t n) {
    if (!f->left)
        pad(s, ' ', n, f->width);
    for (size_t i = 0; i < n; i++)
        put(s, text[i]);
    if (f->left)
        pad(s, ' ', n, f->width);
}

static void put_string(struct sink *s, const struct spec *f, const char *text) {
    size_t n = 0;

    while (text[n] && (!f->has_precision || n < f->precision))
        n++;
    put_field(s, f, text, n);
}

static void put_number(struct sink *s, const struct spec *f, uint64_t value, unsigned base,
                       bool negative, bool upper) {
    char text[24];
    size_t at = sizeof text;

    do {
        text[--at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
        value /= base;
    } while (value);
    if (f->zero && !f->left) {
        if (negative)
            put(s, '-');
        pad(s, '0', sizeof text - at + negative, f->width);
        struct spec bare = {.left = false};
        put_field(s, &bare, text + at, sizeof text - at);
        return;
    }
    if (negative)
        text[--at] = '-';
    put_field(s, f, text + at, sizeof text - at);
}

static const char *read_size(const char *p, size_t *n, va_list *ap) {
    if (*p == '*') {
        int value = va_arg(*ap, int);
        *n = value > 0 ? (size_t)value : 0;
        return p + 1;
    }
    while (*p >= '0' && *p <= '9')
        *n = *n * 10 + (size_t)(*p++ - '0');
    return p;
}

static const char *read_spec(const char *p, struct spec *f, va_list *ap) {
    for (;; p++) {
        if (*p == '-')
            f->left = true;
        else if (*p == '0')
            f->zero = true;
        else if (*p != '#')
            break;
    }
    p = read_size(p, &f->width, ap);
    if (*p == '.') {
        f->has_precision = true;
        p = read_size(p + 1, &f->precision, ap);
    }
    for (; *p == 'l' || *p == 'h' || *p == 'z'; p++)
        f->longs += *p == 'z' ? 2 : *p == 'l';
    return p;
}

static uint64_t take_unsigned(const struct spec *f, va_list *ap) {
    return f->longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
}

static void convert(struct sink *s, struct spec *f, char how, va_list *ap) {
    switch (how) {
    case 'd':
    case 'i': {
        long value = f->longs ? va_arg(*ap, long) : va_arg(*ap, int);
        put_number(s, f, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0, false);
        break;
    }
    case 'u':
        put_number(s, f, take_unsigned(f, ap), 10, false, false);
        break;
    case 'x':
    case 'X':
        put_number(s, f, take_unsigned(f, ap), 16, false, how == 'X');
        break;
    case 'p':
        put_number(s, f, (uint64_t)(uintptr_t)va_arg(*ap, void *), 16, false, false);
        break;
    case 'c': {
        char c = (char)va_arg(*ap, int);
        put_field(s, f, &c, 1);
        break;
    }
    case 's':
        put_string(s, f, va_arg(*ap, const char *));
        break;
    default:
        put(s, how);
    }
}

size_t format_text(char *out, size_t size, const char *fmt, va_list ap) {
    struct sink s = {out, size, 0};
    va_list rest; /* a parameter of this type has no address to pass on */

    va_copy(rest, ap);
    for (const char *p = fmt; *p; p++) {
        if (*p != '%') {
            put(&s, *p);
            continue;
        }
        struct spec f = {.left = false};
        p = read_spec(p + 1, &f, &rest);
        if (!*p)
            break;
        convert(&s, &f, *p, &rest);
    }
    va_end(rest);
    out[s.used] = '\0';
    return s.used;
}
