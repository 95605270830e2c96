/*
 * The end after a broken invariant: message, virtual CPU, abort (exit status 134 in a shell).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/chr.h"
#include "host/process/log.h"
#include "host/process/panic.h"
#include "host/process/rt_syscall.h"
#include "host/process/terminal.h"
#include "vmm/vcpu.h"

static const struct vcpu *subject;

void panic_watch(const struct vcpu *v) {
    subject = v;
}

/* dprintf() would look at the descriptor with system calls that the sandbox forbids. */
static void vsay(const char *fmt, va_list ap) {
    char text[512];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    size_t length = n < (int)sizeof text ? (size_t)n : sizeof text - 1;
    rt_syscall3(SYS_write, STDERR_FILENO, (long)text, (long)length);
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsay(fmt, ap);
    va_end(ap);
}

static void print_vcpu(const struct vcpu *v) {
    static const char *const gprs[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    static const char *const segs[SEG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (unsigned i = 0; i < 8; i++)
        say("%s %08x%s", gprs[i], v->gpr[i], i % 4 == 3 ? "\n" : "  ");
    say("eip %08x  eflags %08x  cpl %u%s\n", v->eip, vcpu_eflags(v), v->cpl,
        v->halted ? "  halted" : "");
    for (unsigned i = 0; i < SEG_COUNT; i++)
        say("%s  %04x base %08x limit %08x attr %04x\n", segs[i], v->seg[i].sel, v->seg[i].base,
            v->seg[i].limit, v->seg[i].attr);
    say("gdt base %08x limit %04x  idt base %08x limit %04x\n", v->gdtr.base, v->gdtr.limit,
        v->idtr.base, v->idtr.limit);
    say("cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x  efer %08" PRIx64 "\n", v->cr0, v->cr2, v->cr3,
        v->cr4, v->efer);
    if (v->exc.pending)
        say("pending exception %u error %08x cr2 %08x\n", v->exc.vector, v->exc.error, v->exc.cr2);
}

void host_panic(const char *fmt, ...) {
    static volatile bool again;
    if (again) /* the report itself failed */
        _exit(134);
    again = true;
    terminal_restore();
    chr_finish();
    log_flush();
    va_list ap;
    va_start(ap, fmt);
    say("ringone: internal error: ");
    vsay(fmt, ap);
    say("\n");
    va_end(ap);
    if (subject != NULL)
        print_vcpu(subject);
    abort();
}
