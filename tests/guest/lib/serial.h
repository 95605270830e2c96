/* The test's only output: COM1, polled. */
#ifndef GUEST_SERIAL_H
#define GUEST_SERIAL_H

#include <stdint.h>

void serial_init(void);
void serial_putc(char c);
/* Waits until the last byte is on the wire. */
void serial_flush(void);

/* %s %c %d %u %x, with an optional zero flag and width; anything else is printed as it stands. */
__attribute__((format(printf, 1, 2))) void printf(const char *format, ...);

#endif
