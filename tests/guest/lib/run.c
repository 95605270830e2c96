/* Outcome of a snippet: storing it (called by run.S) and setting one up. */
#include "run.h"
#include "cpu.h"
#include "power.h"
#include "serial.h"

struct trap trap;
void (*trap_handlers[256])(struct trap_frame *);

extern struct trap_frame trap_copy;
extern uint32_t trap_copy_size, trap_copy_esp, trap_copy_ss, run_esp;

void trap_store(void);

void trap_store(void) {
    const struct trap_frame *f = &trap_copy;
    struct regs *r = &trap.regs;
    if (!run_esp) {
        printf("unexpected vector %u error %x eip %08x\n", f->vector, f->error, f->eip);
        power_off();
    }
    *r = (struct regs){.edi = f->edi,
                       .esi = f->esi,
                       .ebp = f->ebp,
                       .ebx = f->ebx,
                       .edx = f->edx,
                       .ecx = f->ecx,
                       .eax = f->eax,
                       .gs = f->gs & 0xFFFF,
                       .fs = f->fs & 0xFFFF,
                       .es = f->es & 0xFFFF,
                       .ds = f->ds & 0xFFFF,
                       .eip = f->eip,
                       .cs = f->cs & 0xFFFF,
                       .eflags = f->eflags};
    enum { SAME_RING = 17, OTHER_RING = 19 };
    if (trap_copy_size == SAME_RING) {
        r->esp = trap_copy_esp + SAME_RING * 4;
        r->ss = trap_copy_ss & 0xFFFF;
    } else {
        r->esp = f->esp;
        r->ss = f->ss & 0xFFFF;
    }
    if (trap_copy_size > OTHER_RING) {
        r->es = f->v86_es & 0xFFFF;
        r->ds = f->v86_ds & 0xFFFF;
        r->fs = f->v86_fs & 0xFFFF;
        r->gs = f->v86_gs & 0xFFFF;
    }
    trap.vector = f->vector;
    trap.error = f->error;
    trap.cr2 = read_cr2();
}

static struct regs regs_flat(const void *code, uint32_t cs, uint32_t ds, uint32_t esp) {
    return (struct regs){.eax = 0x11111111,
                         .ecx = 0x22222222,
                         .edx = 0x33333333,
                         .ebx = 0x44444444,
                         .ebp = 0x66666666,
                         .esi = 0x77777777,
                         .edi = 0x88888888,
                         .esp = esp,
                         .ss = ds,
                         .gs = ds,
                         .fs = ds,
                         .es = ds,
                         .ds = ds,
                         .eip = (uint32_t)code,
                         .cs = cs,
                         .eflags = 2};
}

struct regs regs_ring0(const void *code) {
    return regs_flat(code, SEL_CODE0, SEL_DATA0, STACK_RING0);
}

struct regs regs_ring3(const void *code) {
    return regs_flat(code, SEL_CODE3, SEL_DATA3, STACK_RING3);
}
