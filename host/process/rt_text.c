/*
 * Formatting without libc (text.h).
 */
#include "host/process/text.h"

#include <stdbool.h>
#include <stdint.h>

/* One conversion specification, %[flags][width][.precision][length]conversion. */
struct spec {
    bool left, zero, alternate;
    int width;
    int precision; /* -1: none */
    unsigned bytes;
    char conversion;
};

enum { WIDTH_MAX = 256 };

void text_begin(struct text *t, char *buffer, size_t size) {
    *t = (struct text){.start = buffer, .size = size};
    buffer[0] = '\0';
}

static void put(struct text *t, char c) {
    if (t->length + 1 >= t->size)
        return;
    t->start[t->length++] = c;
    t->start[t->length] = '\0';
}

static void fill(struct text *t, char c, int count) {
    for (; count > 0; count--)
        put(t, c);
}

void text_pad(struct text *t, size_t column) {
    while (t->length < column && t->length + 1 < t->size)
        put(t, ' ');
}

/* prefix, zeros, then n characters, brought to the width. */
static void put_field(struct text *t, const struct spec *s, const char *prefix, int zeros,
                      const char *digits, int n) {
    int length = zeros + n;
    for (const char *p = prefix; *p != '\0'; p++)
        length++;
    if (!s->left)
        fill(t, ' ', s->width - length);
    while (*prefix != '\0')
        put(t, *prefix++);
    fill(t, '0', zeros);
    for (int i = 0; i < n; i++)
        put(t, digits[i]);
    if (s->left)
        fill(t, ' ', s->width - length);
}

static void put_number(struct text *t, const struct spec *s, uint64_t value, const char *prefix) {
    const char *set = s->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = s->conversion == 'x' || s->conversion == 'X' || s->conversion == 'p' ? 16 : 10;
    char digits[24];
    int n = 0;

    if (base == 16 && value != 0 && (s->alternate || s->conversion == 'p'))
        prefix = s->conversion == 'X' ? "0X" : "0x";
    for (; value != 0; value /= base)
        digits[sizeof digits - (size_t)++n] = set[value % base];
    if (n == 0 && s->precision != 0)
        digits[sizeof digits - (size_t)++n] = '0';
    int zeros = s->precision > n ? s->precision - n : 0;
    if (s->precision < 0 && s->zero && !s->left) {
        zeros = s->width - n;
        for (const char *p = prefix; *p != '\0'; p++)
            zeros--;
    }
    put_field(t, s, prefix, zeros > 0 ? zeros : 0, digits + sizeof digits - n, n);
}

static void put_string(struct text *t, const struct spec *s, const char *string) {
    int n = 0;
    if (string == NULL)
        string = "(null)";
    while ((s->precision < 0 || n < s->precision) && string[n] != '\0')
        n++;
    put_field(t, s, "", 0, string, n);
}

/* A width or precision: digits, or * for the next argument. */
static const char *take_number(const char *fmt, int *out, va_list *ap) {
    int value = 0;
    if (*fmt == '*') {
        value = va_arg(*ap, int);
        fmt++;
    } else {
        for (; *fmt >= '0' && *fmt <= '9'; fmt++)
            if (value < WIDTH_MAX)
                value = value * 10 + (*fmt - '0');
    }
    *out = value > WIDTH_MAX ? WIDTH_MAX : value;
    return fmt;
}

static const char *take_length(const char *fmt, unsigned *bytes) {
    *bytes = sizeof(int);
    switch (*fmt) {
    case 'h':
        *bytes = fmt[1] == 'h' ? sizeof(char) : sizeof(short);
        return fmt + (fmt[1] == 'h' ? 2 : 1);
    case 'l':
    case 'j':
    case 'z':
    case 't':
        *bytes = sizeof(long);
        return fmt + (fmt[0] == 'l' && fmt[1] == 'l' ? 2 : 1);
    default:
        return fmt;
    }
}

static const char *take_spec(const char *fmt, struct spec *s, va_list *ap) {
    *s = (struct spec){.precision = -1};
    for (;; fmt++) {
        if (*fmt == '-')
            s->left = true;
        else if (*fmt == '0')
            s->zero = true;
        else if (*fmt == '#')
            s->alternate = true;
        else
            break;
    }
    fmt = take_number(fmt, &s->width, ap);
    if (s->width < 0) {
        s->left = true;
        s->width = s->width < -WIDTH_MAX ? WIDTH_MAX : -s->width;
    }
    if (*fmt == '.')
        fmt = take_number(fmt + 1, &s->precision, ap);
    fmt = take_length(fmt, &s->bytes);
    s->conversion = *fmt;
    return *fmt != '\0' ? fmt + 1 : fmt;
}

static void put_signed(struct text *t, const struct spec *s, int64_t value) {
    unsigned unused = 64 - 8 * s->bytes;
    value = (int64_t)((uint64_t)value << unused) >> unused;
    put_number(t, s, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0 ? "-" : "");
}

static void put_unsigned(struct text *t, const struct spec *s, uint64_t value) {
    if (s->bytes == sizeof(char))
        value = (unsigned char)value;
    else if (s->bytes == sizeof(short))
        value = (unsigned short)value;
    put_number(t, s, value, "");
}

static void put_conversion(struct text *t, const struct spec *s, va_list *ap) {
    char c;
    switch (s->conversion) {
    case 'd':
    case 'i':
        put_signed(t, s, s->bytes == sizeof(long) ? va_arg(*ap, long) : va_arg(*ap, int));
        break;
    case 'u':
    case 'x':
    case 'X':
        put_unsigned(t, s,
                     s->bytes == sizeof(long) ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned));
        break;
    case 'p':
        put_number(t, s, (uint64_t)(uintptr_t)va_arg(*ap, void *), "");
        break;
    case 'c':
        c = (char)va_arg(*ap, int);
        put_field(t, s, "", 0, &c, 1);
        break;
    case 's':
        put_string(t, s, va_arg(*ap, const char *));
        break;
    case '%':
        put(t, '%');
        break;
    default:
        put(t, '%');
        if (s->conversion != '\0')
            put(t, s->conversion);
    }
}

void text_vadd(struct text *t, const char *fmt, va_list ap) {
    va_list rest;
    va_copy(rest, ap);
    while (*fmt != '\0') {
        if (*fmt != '%') {
            put(t, *fmt++);
            continue;
        }
        struct spec s;
        fmt = take_spec(fmt + 1, &s, &rest);
        put_conversion(t, &s, &rest);
    }
    va_end(rest);
}

void text_add(struct text *t, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    text_vadd(t, fmt, ap);
    va_end(ap);
}
