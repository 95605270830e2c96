/*
 * Trace lines (-d). There is no disassembler here: code is shown as bytes.
 */
#include "host/host.h"
#include "host/ring0/console.h"
#include "vmm/vcpu.h"

uint32_t host_log_mask;

void host_log(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    bool ended = console_vprint(fmt, ap);
    va_end(ap);
    if (!ended)
        console_print("\n");
}

static void print_bytes(const char *tag, const uint8_t *bytes, size_t n, uint64_t address) {
    for (size_t i = 0; i < n; i++) {
        if (i % 16 == 0)
            console_print("%s%s %08lx ", i ? "\n" : "", tag, address + i);
        console_print(" %02x", bytes[i]);
    }
    console_print("\n");
}

void host_log_guest_code(struct vcpu *v, uint32_t gla, const uint8_t *bytes, size_t n,
                         bool code32) {
    uint32_t rest = PAGE_SIZE - gla % PAGE_SIZE;

    if (!LOG_ON(LOG_IN_ASM))
        return;
    host_log("in  cs:eip %04x:%08x cr3 %08x cpl %u, %u-bit", v->seg[SEG_CS].sel, gla, v->cr3,
             v->cpl, code32 ? 32 : 16);
    print_bytes("in ", bytes, n < rest ? n : rest, gla);
}

void host_log_host_code(const uint8_t *code, size_t n, uint64_t address) {
    print_bytes("out", code, n, address);
}
