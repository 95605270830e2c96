/*
 * printf's formats without libc: %d %u %x %X %c %s %p %%, with - 0 width, .precision of strings,
 * and the lengths hh h l ll z.
 */
#ifndef HOST_RING0_FORMAT_H
#define HOST_RING0_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size - 1 characters and a NUL; returns how many characters stand there. */
size_t format_text(char *out, size_t size, const char *fmt, va_list ap);

#endif
