/*
 * Messages (console.h).
 */
#include "host/ring0/console.h"

#include <stdint.h>

#include "host/ring0/format.h"
#include "host/ring0/serial.h"
#include "host/ring0/service.h"
#include "host/ring0/vga.h"

enum { LINE = 512 };

static unsigned port = SERIAL_COM1;

void console_use_port(unsigned p) {
    port = p;
}

void console_write(const char *text, size_t n) {
    size_t start = 0;

    vga_write(text, n);
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n')
            continue;
        serial_write(port, text + start, i - start);
        serial_write(port, "\r\n", 2);
        start = i + 1;
    }
    serial_write(port, text + start, n - start);
}

bool console_vprint(const char *fmt, va_list ap) {
    char line[LINE];
    size_t n = format_text(line, sizeof line, fmt, ap);

    service_call(SERVICE_PRINT, (uint64_t)(uintptr_t)line, n);
    return n > 0 && line[n - 1] == '\n';
}

void console_print(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    console_vprint(fmt, ap);
    va_end(ap);
}
