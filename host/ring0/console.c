/*
 * Messages (console.h).
 */
#include "host/ring0/console.h"

#include <stdint.h>

#include "host/process/text.h"
#include "host/ring0/serial.h"
#include "host/ring0/service.h"
#include "host/ring0/vga.h"

enum { LINE = 512 };

static unsigned port = SERIAL_COM1;

void console_use_port(unsigned p) {
    port = p;
}

static void write_port(const char *text, size_t n) {
    size_t start = 0;

    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n')
            continue;
        serial_write(port, text + start, i - start);
        serial_write(port, "\r\n", 2);
        start = i + 1;
    }
    serial_write(port, text + start, n - start);
}

void console_write(const char *text, size_t n) {
    vga_write(text, n);
    write_port(text, n);
}

void console_report(const char *line) {
    for (; *line != '\0'; line++)
        write_port(line, 1);
}

void console_vprint(const char *fmt, va_list ap) {
    char line[LINE];
    struct text t;

    text_begin(&t, line, sizeof line);
    text_vadd(&t, fmt, ap);
    service_call(SERVICE_PRINT, (uint64_t)(uintptr_t)line, t.length);
}

void console_print(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    console_vprint(fmt, ap);
    va_end(ap);
}
