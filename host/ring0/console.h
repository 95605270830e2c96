/*
 * The VMM's own words: to the screen and a serial port.
 */
#ifndef HOST_RING0_CONSOLE_H
#define HOST_RING0_CONSOLE_H

#include <stdarg.h>
#include <stddef.h>

/* Serial port the messages go to (serial.h); COM1 until set. */
void console_use_port(unsigned port);

/* Ring 0. A line feed becomes CR LF on the serial port. */
void console_write(const char *text, size_t n);

/* Ring 0: to the serial port alone, for long reports. */
void console_report(const char *line);

/* From rings 0 and 1. */
void console_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void console_vprint(const char *fmt, va_list ap);

#endif
