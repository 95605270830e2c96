/*
 * Text in a buffer of fixed size, made without libc: for trace lines and panic reports, which are
 * written while the guest's x87/SSE state is live and from signal handlers. Code: rt_text.c.
 */
#ifndef HOST_PROCESS_TEXT_H
#define HOST_PROCESS_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* What has been written so far stands at start, ended by NUL. What does not fit is left out. */
struct text {
    char *start;
    size_t length;
    size_t size; /* of the buffer, at least 1 */
};

/* An empty text in the buffer. */
void text_begin(struct text *t, char *buffer, size_t size);

/* Appends as printf would. Conversions: d i u x X c s p %; flags - 0 #; width, precision (also *);
 * lengths hh h l ll j z t. Anything else stands there as it is. */
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_vadd(struct text *t, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Appends spaces up to the column, counted from the start of the text. */
void text_pad(struct text *t, size_t column);

#endif
