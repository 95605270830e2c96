/*
 * Trace lines and disassembly (log.h). Everything here may run while the guest's x87/SSE state is
 * live and calls libc and the disassembler, hence the brackets.
 */
#include "host/process/log.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/fpu.h"
#include "host/process/rt_syscall.h"
#include "vmm/vcpu.h"

uint32_t host_log_mask;

enum { LINE_BYTES = 512, BUFFER_BYTES = 65536 };

static struct {
    int fd;
    size_t used;
    char text[BUFFER_BYTES];
    csh guest32, guest16, host;
    cs_insn *insn; /* made before the sandbox is shut, used for every line */
} trace = {.fd = STDERR_FILENO};

void log_flush(void) {
    size_t done = 0;
    while (done < trace.used) {
        long n =
            rt_syscall3(SYS_write, trace.fd, (long)(trace.text + done), (long)(trace.used - done));
        if (n == -EINTR || n == -EAGAIN)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    trace.used = 0;
}

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void vadd(const char *fmt, va_list ap) {
    if (BUFFER_BYTES - trace.used < LINE_BYTES)
        log_flush();
    char *line = trace.text + trace.used;
    int n = vsnprintf(line, LINE_BYTES - 1, fmt, ap);
    if (n < 0)
        return;
    size_t length = n < LINE_BYTES - 1 ? (size_t)n : LINE_BYTES - 2;
    if (length == 0 || line[length - 1] != '\n')
        line[length++] = '\n';
    trace.used += length;
}

static void add(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vadd(fmt, ap);
    va_end(ap);
}

void host_log(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fpu_guest_save();
    vadd(fmt, ap);
    fpu_guest_restore();
    va_end(ap);
}

/* One line per instruction: tag, address, bytes, text. */
static void disassemble(csh handle, const char *tag, const uint8_t *code, size_t n,
                        uint64_t address) {
    fpu_guest_save();
    while (n > 0) {
        char bytes[3 * 16 + 1];
        const uint8_t *start = code;
        const uint8_t *next = code;
        uint64_t at = address;
        bool known = cs_disasm_iter(handle, &next, &n, &address, trace.insn);
        if (!known) { /* show one byte and go on behind it */
            next = start + 1;
            n--;
            address = at + 1;
        }
        code = next;
        size_t length = 0;
        for (const uint8_t *b = start; b < next && length + 3 < sizeof bytes; b++)
            length += (size_t)snprintf(bytes + length, sizeof bytes - length, "%02x ", *b);
        add("%s %08" PRIx64 "  %-33s%s %s", tag, at, bytes, known ? trace.insn->mnemonic : "(bad)",
            known ? trace.insn->op_str : "");
    }
    fpu_guest_restore();
}

void host_log_guest_code(struct vcpu *v, uint32_t eip, const uint8_t *bytes, size_t n,
                         bool code32) {
    host_log("in  cs:eip %04x:%08x cr3 %08x cpl %u", v->seg[SEG_CS].sel, eip, v->cr3, v->cpl);
    disassemble(code32 ? trace.guest32 : trace.guest16, "in ", bytes, n, eip);
}

void host_log_host_code(const uint8_t *code, size_t n, uint64_t address) {
    disassemble(trace.host, "out", code, n, address);
}

bool log_open(const struct options *o, char message[OPTIONS_MESSAGE]) {
    host_log_mask = o->log_mask;
    if (o->log_path != NULL) {
        trace.fd = open(o->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (trace.fd < 0) {
            snprintf(message, OPTIONS_MESSAGE, "-D: cannot write '%.100s': %s", o->log_path,
                     strerror(errno));
            return false;
        }
    }
    if ((o->log_mask & (LOG_IN_ASM | LOG_OUT_ASM)) == 0)
        return true;
    if (cs_open(CS_ARCH_X86, CS_MODE_32, &trace.guest32) != CS_ERR_OK ||
        cs_open(CS_ARCH_X86, CS_MODE_16, &trace.guest16) != CS_ERR_OK ||
        cs_open(CS_ARCH_X86, CS_MODE_64, &trace.host) != CS_ERR_OK ||
        (trace.insn = cs_malloc(trace.host)) == NULL) {
        snprintf(message, OPTIONS_MESSAGE, "-d: the disassembler does not start");
        return false;
    }
    return true;
}
