/*
 * Interrupts and exceptions (trap.h).
 *
 *   exception in ring 1, translated code    bt_host_fault decides; the frame it changed is resumed
 *   #PF in the heap, any ring               first touch: a zeroed frame is mapped
 *   device interrupt                        acknowledged; the timer's and the serial port's kick
 *                                           the vCPU when they have something for it
 *   VECTOR_SERVICE                          service.c
 *   anything else                           panic
 *
 * Ring 0 runs with interrupts off but where it waits (clock.c, ata.c), so none of these interrupts
 * another, but for exceptions.
 */
#include "host/ring0/trap.h"

#include <stddef.h>

#include "bt/bt.h"
#include "host/host.h"
#include "host/ring0/clock.h"
#include "host/ring0/control.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/heap.h"
#include "host/ring0/i8259.h"
#include "host/ring0/lapic.h"
#include "host/ring0/layout.h"
#include "host/ring0/panic.h"
#include "host/ring0/serial.h"
#include "host/ring0/service.h"
#include "host/ring0/user.h"
#include "vmm/vcpu.h"

struct trap_counts trap_counts;
struct trap_probe trap_probe;

static struct vcpu *watched;

void trap_watch(struct vcpu *v) {
    watched = v;
}

struct vcpu *trap_watched(void) {
    return watched;
}

static struct host_regs registers(const struct trap_frame *f) {
    struct host_regs r = {.rip = f->rip, .rflags = f->rflags};

    memcpy(r.gpr, f->gpr, sizeof r.gpr);
    return r;
}

static void resume_with(struct trap_frame *f, const struct host_regs *r) {
    memcpy(f->gpr, r->gpr, sizeof r->gpr);
    f->rip = r->rip;
    f->rsp = r->gpr[4];
    f->rflags = r->rflags;
}

/* DR6, which the processor never clears by itself. */
static uint64_t take_dr6(void) {
    uint64_t value;

    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ull));
    return value;
}

static void exception(struct trap_frame *f) {
    trap_counts.exceptions++;
    uint64_t address = f->vector == VEC_PF ? read_cr2() : 0;

    if (f->vector == VEC_PF && (f->cs & 3) != 3 && heap_touch(address))
        return;
    if (trap_probe.rip && f->rip == trap_probe.rip) {
        trap_probe.vector = f->vector;
        trap_probe.cs = f->cs;
        f->rip += trap_probe.skip;
        return;
    }
    if (watched && (f->cs & 3) == 1) {
        struct host_regs r = registers(f);
        if (bt_host_fault(watched, &r, (unsigned)f->vector, f->error, address)) {
            resume_with(f, &r);
            return;
        }
    }
    if ((f->cs & 3) == 3 && f->vector != VEC_NMI && f->vector != VEC_DF && f->vector != VEC_MC) {
        if (f->vector == VEC_PF && bt_user_fault(watched, (gla_t)address, (uint32_t)f->error))
            return;
        user_leave(f, (unsigned)f->vector, f->vector == VEC_DB ? take_dr6() : address);
        return;
    }
    panic_screen(NULL, f);
}

static void kick(struct trap_frame *f) {
    if (!watched)
        return;
    if ((f->cs & 3) != 1) {
        bt_kick(watched, NULL);
        if ((f->cs & 3) == 3)
            user_leave(f, HOST_USER_KICKED, 0);
        return;
    }
    trap_counts.kicks_ring1++;
    struct host_regs r = registers(f);
    bt_kick(watched, &r);
    resume_with(f, &r);
}

/* What system calls begin with, out of the way of the rest. */
static bool system_call(struct trap_frame *f) {
    if ((f->cs & 3) != 3 || (f->vector != VEC_GP && f->vector != VEC_UD))
        return false;
    trap_counts.user++;
    trap_counts.exceptions++;
    user_leave(f, (unsigned)f->vector, 0);
    return true;
}

void trap_handle(struct trap_frame *f) {
    if (system_call(f))
        return;
    if (f->vector == VECTOR_SERVICE) {
        service_trap(f);
        if ((f->cs & 3) == 3)
            user_resume(f);
        return;
    }
    trap_counts.user += (f->cs & 3) == 3;
    if (heap_is_code(f->rip))
        trap_counts.translated[f->cs & 3]++;
    if (f->vector < VECTOR_PIC) {
        exception(f);
    } else if (f->vector < VECTOR_PIC + PIC_LINES) {
        trap_counts.interrupts++;
        unsigned line = (unsigned)f->vector - VECTOR_PIC;
        if (i8259_acknowledge(line) &&
            (line == SERIAL_IRQ ? serial_interrupt() : line == CONTROL_IRQ && control_interrupt(f)))
            kick(f);
    } else if (f->vector == VECTOR_TIMER) {
        trap_counts.interrupts++;
        lapic_acknowledge();
        if (clock_interrupt())
            kick(f);
    } else if (f->vector != VECTOR_SPURIOUS) {
        panic_screen("interrupt from nowhere", f);
    }
    if ((f->cs & 3) == 3)
        user_resume(f);
}
