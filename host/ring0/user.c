/*
 * Guest user code in ring 3, compatibility mode (user.h, host_user_run; Intel SDM vol. 3A sections
 * 5.8.5 on the change of rings by IRET, 6.12 on gates' privilege).
 *
 *   ring 1   host_user_run: the service gate
 *   ring 0   user_enter keeps the gate's frame, puts ring 3's registers in its place; IRET
 *   ring 3   guest code, until a trap
 *   ring 0   user_leave notes ring 3's registers, puts the gate's frame back; IRET
 *   ring 1   host_user_run returns
 *
 * GDT and LDT hold for ring 3 the descriptors that struct host_user gives, all of DPL 3. No gate
 * but ours has a DPL above 1 (and ours has 1), so INT n is #GP for ring 3, as is SYSENTER with its
 * CS 0; SYSCALL is off.
 */
#include "host/ring0/user.h"

#include "host/host.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/gdt.h"
#include "host/ring0/paging.h"
#include "host/ring0/service.h"
#include "host/ring0/stack16.h"
#include "host/ring0/trap.h"
#include "host/ring0/windows.h"
#include "vmm/vm.h"

#define CR0_TASK_SWITCHED (1ull << 3)
#define EFLAGS_FIXED      0x202u /* IF and bit 1 */
#define SELECTOR_TI       4u
#define DESCRIPTOR_B      (1ull << 54)

enum { ES, CS, SS, DS, FS, GS, SEGMENTS };

static struct trap_frame caller;
static struct host_user *running;
static uint64_t gdt_version; /* of the descriptors that the GDT holds */

bool host_user_can(void) {
    return true;
}

void host_user_run(struct vcpu *v, struct host_user *u) {
    (void)v;
    service_call(SERVICE_USER, (uint64_t)(uintptr_t)u, 0);
}

void user_enter(struct trap_frame *f, struct host_user *u) {
    const struct vm *vm = trap_watched()->vm;

    if (vm->kicked || vm->stop) { /* a kick that came after the run loop had looked */
        u->vector = HOST_USER_KICKED;
        return;
    }
    caller = *f;
    running = u;
    if (u->gdt_version != gdt_version) {
        gdt_set_user(u->gdt, HOST_USER_GDT);
        gdt_set_ldt(u->ldt, u->ldt_entries);
        gdt_version = u->gdt_version;
    }
    paging_use_root(u->window);
    if (u->ts)
        write_cr0(read_cr0() | CR0_TASK_SWITCHED);
    __asm__ volatile("movl %0, %%ds\n\t"
                     "movl %1, %%es\n\t"
                     "movl %2, %%fs\n\t"
                     "movl %3, %%gs"
                     :
                     : "r"((uint32_t)u->selector[DS]), "r"((uint32_t)u->selector[ES]),
                       "r"((uint32_t)u->selector[FS]), "r"((uint32_t)u->selector[GS]));
    *f = (struct trap_frame){.rip = u->eip,
                             .cs = u->selector[CS],
                             .rflags = u->eflags | EFLAGS_FIXED,
                             .rsp = u->gpr[4],
                             .ss = u->selector[SS]};
    for (unsigned n = 0; n < 8; n++)
        f->gpr[n] = u->gpr[n];
}

void user_resume(const struct trap_frame *f) {
    const uint64_t *table = f->ss & SELECTOR_TI ? running->ldt : running->gdt;

    if (!(table[(f->ss & 0xffff) / 8] & DESCRIPTOR_B))
        stack16_resume(f);
}

void user_leave(struct trap_frame *f, unsigned vector, uint64_t address) {
    struct host_user *u = running;
    uint32_t ds, es, fs, gs;

    __asm__ volatile("movl %%ds, %0\n\t"
                     "movl %%es, %1\n\t"
                     "movl %%fs, %2\n\t"
                     "movl %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    windows_forget_gs();
    if (u->ts)
        write_cr0(read_cr0() & ~CR0_TASK_SWITCHED);
    for (unsigned n = 0; n < 8; n++)
        u->gpr[n] = (uint32_t)f->gpr[n];
    u->gpr[4] = (uint32_t)f->rsp;
    u->eip = (uint32_t)f->rip;
    u->eflags = (uint32_t)f->rflags;
    u->selector[ES] = (uint16_t)es;
    u->selector[CS] = (uint16_t)f->cs;
    u->selector[SS] = (uint16_t)f->ss;
    u->selector[DS] = (uint16_t)ds;
    u->selector[FS] = (uint16_t)fs;
    u->selector[GS] = (uint16_t)gs;
    u->vector = vector;
    u->address = address;
    running = NULL;
    *f = caller;
}
