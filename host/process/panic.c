/*
 * The end after a broken invariant: message, the virtual CPU and how it got there, abort (exit
 * status 134 in a shell). What is most certain to work comes first; a panic within the panic, such
 * as a crash while looking at the guest, ends the report there.
 */
#include "host/process/panic.h"

#include <stdlib.h>
#include <unistd.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/chr.h"
#include "host/process/log.h"
#include "host/process/report.h"
#include "host/process/rt_syscall.h"
#include "host/process/symbols.h"
#include "host/process/terminal.h"
#include "host/process/text.h"
#include "host/process/windows.h"
#include "vmm/vcpu.h"

enum { LINE_BYTES = 512 };

static struct vcpu *subject;
static const struct host_regs *interrupted;

void panic_watch(struct vcpu *v) {
    subject = v;
}

void panic_interrupted(const struct host_regs *regs) {
    interrupted = regs;
}

/* dprintf() would look at the descriptor with system calls that the sandbox forbids. */
static void say(const char *line) {
    size_t n = 0;
    while (line[n] != '\0')
        n++;
    rt_syscall3(SYS_write, STDERR_FILENO, (long)line, (long)n);
}

static void say_message(const char *fmt, va_list ap) {
    char line[LINE_BYTES];
    struct text t;
    text_begin(&t, line, sizeof line - 1);
    text_add(&t, "ringone: internal error: ");
    text_vadd(&t, fmt, ap);
    line[t.length] = '\n';
    line[t.length + 1] = '\0';
    say(line);
}

/* The host registers, and what they were doing. */
static void say_interrupted(const struct host_regs *r) {
    static const char *const names[16] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                          "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    char line[LINE_BYTES];
    struct text t;
    text_begin(&t, line, sizeof line);
    text_add(&t, "host RIP=%016llx RFL=%08llx", (unsigned long long)r->rip,
             (unsigned long long)r->rflags);
    symbols_add_host_place(&t, r->rip);
    text_add(&t, "\n");
    say(line);
    for (unsigned i = 0; i < 16; i += 4) {
        text_begin(&t, line, sizeof line);
        text_add(&t, "host");
        for (unsigned j = i; j < i + 4; j++)
            text_add(&t, " %s=%016llx", names[j], (unsigned long long)r->gpr[j]);
        text_add(&t, "\n");
        say(line);
    }
}

void host_panic(const char *fmt, ...) {
    static volatile bool again;
    if (again) /* the report itself failed */
        _exit(134);
    again = true;
    windows_put_aside();
    terminal_restore();
    va_list ap;
    va_start(ap, fmt);
    say_message(fmt, ap);
    va_end(ap);
    chr_finish();
    log_flush();
    if (subject != NULL) {
        if (interrupted != NULL) {
            say_interrupted(interrupted);
            if (bt_recover(subject, interrupted))
                say("the guest was interrupted in translated code, here:\n");
            else
                say("the guest when it last left translated code:\n");
        }
        report_registers(subject, say);
        report_code(subject, say);
        report_recent_blocks(subject, say);
        report_backtrace(subject, say);
    }
    abort();
}
