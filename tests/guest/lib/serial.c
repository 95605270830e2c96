/* COM1 as a 16550 without interrupts (PC16550D data sheet, section 8): wait for LSR bit 5
 * (transmitter holding register empty), then write; bit 6 is the shift register. */
#include "serial.h"
#include "io.h"

#include <stdarg.h>
#include <stdbool.h>

enum { COM1 = 0x3F8, IER = 1, LCR = 3, MCR = 4, LSR = 5 };

void serial_init(void) {
    outb(COM1 + IER, 0);
    outb(COM1 + LCR, 0x80);
    outb(COM1, 1);
    outb(COM1 + IER, 0);
    outb(COM1 + LCR, 0x03);
    outb(COM1 + MCR, 0x0B); /* OUT2 lets the interrupt line through on a PC */
}

void serial_putc(char c) {
    while (!(inb(COM1 + LSR) & 0x20))
        ;
    outb(COM1, (uint8_t)c);
}

void serial_flush(void) {
    while (!(inb(COM1 + LSR) & 0x40))
        ;
}

static void put_number(uint32_t v, uint32_t base, bool negative, char pad, int width) {
    char digits[12];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (negative)
        digits[n++] = '-';
    for (int i = n; i < width; i++)
        serial_putc(pad);
    while (n)
        serial_putc(digits[--n]);
}

void printf(const char *format, ...) {
    va_list args;
    va_start(args, format);
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            serial_putc(*p);
            continue;
        }
        char pad = ' ';
        int width = 0;
        if (*++p == '0')
            pad = '0';
        while (*p >= '0' && *p <= '9')
            width = width * 10 + (*p++ - '0');
        if (*p == 's') {
            for (const char *s = va_arg(args, const char *); *s; s++)
                serial_putc(*s);
        } else if (*p == 'c') {
            serial_putc((char)va_arg(args, int));
        } else if (*p == 'd') {
            int v = va_arg(args, int);
            put_number(v < 0 ? -(uint32_t)v : (uint32_t)v, 10, v < 0, pad, width);
        } else if (*p == 'u') {
            put_number(va_arg(args, uint32_t), 10, false, pad, width);
        } else if (*p == 'x') {
            put_number(va_arg(args, uint32_t), 16, false, pad, width);
        } else {
            serial_putc(*p);
        }
    }
    va_end(args);
}
