/*
 * host_panic (host/host.h) and the panic screen.
 *
 * The backtrace follows the frame pointers, which all of this host's C code keeps; it ends at
 * translated code, where RBP is the guest's.
 */
#include "host/ring0/panic.h"

#include <stddef.h>

#include "host/host.h"
#include "host/ring0/console.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/format.h"
#include "host/ring0/heap.h"
#include "host/ring0/layout.h"
#include "host/ring0/power.h"
#include "host/ring0/service.h"
#include "host/ring0/trap.h"
#include "host/ring0/vga.h"
#include "vmm/vcpu.h"

enum { DEPTH = 16, WHY_BYTES = 256 };

extern const char text_start[], text_end[], rodata_end[], bss_end[]; /* link.ld */

static bool is_text(uint64_t address) {
    return address >= (uint64_t)(uintptr_t)text_start && address < (uint64_t)(uintptr_t)text_end;
}

/* Frames can only be on stacks, which are all in .bss. */
static bool is_frame(uint64_t address) {
    return address % 8 == 0 && address >= (uint64_t)(uintptr_t)rodata_end &&
           address + 16 <= (uint64_t)(uintptr_t)bss_end;
}

static void print_backtrace(uint64_t rbp) {
    console_print("called from");
    for (unsigned n = 0; n < DEPTH && is_frame(rbp); n++) {
        const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;
        if (!is_text(frame[1]))
            break;
        console_print(" %lx", frame[1]);
        if (frame[0] <= rbp)
            break;
        rbp = frame[0];
    }
    console_print("\n");
}

static void print_registers(const struct trap_frame *f) {
    static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    console_print("vector %lu  error %lx  cr2 %016lx  cr3 %lx\n", f->vector, f->error, read_cr2(),
                  read_cr3());
    console_print("rip %016lx  cs %04lx (ring %lu)  rflags %lx\n", f->rip, f->cs, f->cs & 3,
                  f->rflags);
    for (unsigned n = 0; n < 16; n++)
        console_print("%-3s %016lx%s", names[n], f->gpr[n], n % 3 == 2 || n == 15 ? "\n" : "  ");
}

static void print_vcpu(const struct vcpu *v) {
    static const char *const names[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    console_print("guest:\n");
    for (unsigned n = 0; n < 8; n++)
        console_print("%s %08x%s", names[n], v->gpr[n], n % 4 == 3 ? "\n" : "  ");
    console_print("cs:eip %04x:%08x  eflags %08x  cpl %u\n", v->seg[SEG_CS].sel, v->eip,
                  vcpu_eflags(v), v->cpl);
    console_print("cr0 %08x  cr2 %08x  cr3 %08x  cr4 %08x\n", v->cr0, v->cr2, v->cr3, v->cr4);
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
        print_vcpu(trap_watched());
    power_off(POWER_PANIC);
}

void host_panic(const char *fmt, ...) {
    char why[WHY_BYTES];
    va_list ap;

    va_start(ap, fmt);
    format_text(why, sizeof why, fmt, ap);
    va_end(ap);
    service_call(SERVICE_PANIC, (uint64_t)(uintptr_t)why, 0);
    __builtin_unreachable();
}
