/*
 * Lines to the launcher (channel.h): QEMU's isa-debugcon, which has no state and takes a byte with
 * each OUT.
 */
#include "host/ring0/channel.h"

#include "host/ring0/cpu_ops.h"
#include "host/ring0/service.h"

enum { CHUNK = 256 };

static uint16_t port;

void channel_use_port(uint16_t p) {
    port = p;
}

bool channel_is_open(void) {
    return port != 0;
}

static char harmless(char c) {
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f ? '?' : c;
}

void channel_send(enum channel_kind kind, const char *text) {
    char chunk[CHUNK];
    size_t n = 0, room = CHANNEL_LINE_BYTES;

    if (port == 0)
        return;
    chunk[n++] = (char)kind;
    for (; *text != '\0' && *text != '\n' && room > 1; text++, room--) {
        if (n == CHUNK) {
            out_bytes(port, chunk, n);
            n = 0;
        }
        chunk[n++] = harmless(*text);
    }
    out_bytes(port, chunk, n);
    out8(port, '\n');
}

void channel_line(enum channel_kind kind, const char *text) {
    service_call(SERVICE_CHANNEL, kind, (uint64_t)(uintptr_t)text);
}
