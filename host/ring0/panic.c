/*
 * host_panic (host/host.h) and the panic screen.
 *
 * The backtrace follows the frame pointers, which all of this host's C code keeps; it ends at
 * translated code, where RBP is the guest's.
 */
#include "host/ring0/panic.h"

#include <stddef.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/process/report.h"
#include "host/process/symbols.h"
#include "host/process/text.h"
#include "host/ring0/console.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/heap.h"
#include "host/ring0/layout.h"
#include "host/ring0/power.h"
#include "host/ring0/service.h"
#include "host/ring0/trap.h"
#include "host/ring0/user.h"
#include "host/ring0/vga.h"
#include "vmm/vcpu.h"

enum { DEPTH = 16, WHY_BYTES = 256, LINE_BYTES = 256 };

extern const char text_start[], text_end[], rodata_end[], bss_end[]; /* link.ld */

static bool is_text(uint64_t address) {
    return address >= (uint64_t)(uintptr_t)text_start && address < (uint64_t)(uintptr_t)text_end;
}

/* Frames can only be on stacks, which are all in .bss. */
static bool is_frame(uint64_t address) {
    return address % 8 == 0 && address >= (uint64_t)(uintptr_t)rodata_end &&
           address + 16 <= (uint64_t)(uintptr_t)bss_end;
}

/* An address of the VMM's, with its name. */
static void print_place(const char *before, uint64_t address) {
    char line[LINE_BYTES];
    struct text t;

    text_begin(&t, line, sizeof line);
    symbols_add_host_place(&t, address);
    console_print("%s%016lx%s\n", before, address, line);
}

static void print_backtrace(uint64_t rbp) {
    for (unsigned n = 0; n < DEPTH && is_frame(rbp); n++) {
        const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;
        if (!is_text(frame[1]))
            break;
        print_place("called from ", frame[1]);
        if (frame[0] <= rbp)
            break;
        rbp = frame[0];
    }
}

static void print_registers(const struct trap_frame *f) {
    static const char *const names[16] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                          "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    char line[LINE_BYTES];
    struct text t;

    console_print("vector %lu  error %lx  CR2=%016lx CR3=%lx  ring %lu\n", f->vector, f->error,
                  read_cr2(), read_cr3(), f->cs & 3);
    text_begin(&t, line, sizeof line);
    symbols_add_host_place(&t, f->rip);
    console_print("host RIP=%016lx RFL=%08lx%s\n", f->rip, f->rflags, line);
    for (unsigned n = 0; n < 16; n++)
        console_print("%s %s=%016lx%s", n % 4 == 0 ? "host" : "", names[n], f->gpr[n],
                      n % 4 == 3 ? "\n" : "");
}

/* Brings the vCPU up to date, as far as the interrupted code tells. Returns what it is then. */
static const char *recover(struct vcpu *v, const struct trap_frame *f) {
    struct host_regs r = {.rip = f->rip, .rflags = f->rflags};
    struct trap_frame user = *f;

    memcpy(r.gpr, f->gpr, sizeof r.gpr);
    if ((f->cs & 3) == 3) {
        user_leave(&user, HOST_USER_KICKED, 0);
        return "the guest was interrupted in user code that runs natively, here:\n";
    }
    if (bt_recover(v, &r))
        return "the guest was interrupted in translated code, here:\n";
    return "the guest when it last left translated code:\n";
}

/* The screen is too small for it. */
static void report_guest(struct vcpu *v, const struct trap_frame *frame) {
    if (frame)
        console_report(recover(v, frame));
    report_registers(v, console_report);
    report_code(v, console_report);
    report_recent_blocks(v, console_report);
    report_backtrace(v, console_report);
}

void panic_screen(const char *why, const struct trap_frame *frame) {
    static bool again;

    if (again) /* the report itself failed */
        power_off(POWER_PANIC);
    again = true;
    vga_alarm();
    console_print("\nringone: internal error: %s\n", why ? why : "exception in the VMM");
    if (frame) {
        print_registers(frame);
        print_backtrace(frame->gpr[5]);
    } else {
        print_backtrace((uint64_t)(uintptr_t)__builtin_frame_address(0));
    }
    if (trap_watched())
        report_guest(trap_watched(), frame);
    power_off(POWER_PANIC);
}

void host_panic(const char *fmt, ...) {
    char why[WHY_BYTES];
    va_list ap;
    struct text t;

    text_begin(&t, why, sizeof why);
    va_start(ap, fmt);
    text_vadd(&t, fmt, ap);
    va_end(ap);
    service_call(SERVICE_PANIC, (uint64_t)(uintptr_t)why, 0);
    __builtin_unreachable();
}
