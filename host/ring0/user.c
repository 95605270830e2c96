/*
 * Guest user code in ring 3, compatibility mode (user.h, host_user_run; Intel SDM vol. 3A sections
 * 5.8.5 on the change of rings by IRET, 6.12 on gates' privilege).
 *
 *   ring 1   host_user_run: the service gate
 *   ring 0   user_enter puts ring 3's registers in the place of the gate's frame; IRET
 *   ring 3   guest code, until a trap
 *   ring 0   user_leave notes ring 3's registers, asks bt_user_end where to go on; IRET
 *   ring 1   translated code
 *
 * GDT and LDT hold for ring 3 the descriptors that struct host_user gives, all of DPL 3. No gate
 * but ours has a DPL above 1 (and ours has 1), so INT n is #GP for ring 3, as is SYSENTER with its
 * CS 0; SYSCALL is off.
 */
#include "host/ring0/user.h"

#include "bt/bt.h"
#include "bt/regs.h"
#include "host/host.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/gdt.h"
#include "host/ring0/layout.h"
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
#define DESCRIPTOR_G      (1ull << 55)

enum { ES, CS, SS, DS, FS, GS };

static struct host_user *running;
static uint64_t gdt_version; /* of the descriptors that the GDT holds */

bool host_user_can(void) {
    return true;
}

void host_user_run(struct vcpu *v, struct host_user *u) {
    (void)v;
    service_call(SERVICE_USER, (uint64_t)(uintptr_t)u, 0);
    __builtin_unreachable();
}

/* The frame becomes that of ring 1 where bt_user_end wants to go on. */
static void end(struct trap_frame *f, const struct host_user *u) {
    struct host_regs next;

    bt_user_end(trap_watched(), u, &next);
    f->gpr[REG_VCPU] = next.gpr[REG_VCPU];
    f->rip = next.rip;
    f->cs = SEL_CODE1;
    f->rflags = next.rflags | EFLAGS_FIXED;
    f->rsp = next.gpr[RSP];
    f->ss = SEL_DATA1;
}

void user_enter(struct trap_frame *f, struct host_user *u) {
    const struct vcpu *v = trap_watched();

    if (v->vm->kicked || v->vm->stop) { /* a kick that came after the run loop had looked */
        u->vector = HOST_USER_KICKED;
        memcpy(u->left, u->selector, sizeof u->left);
        end(f, u);
        return;
    }
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
    f->rip = u->eip;
    f->cs = u->selector[CS];
    f->rflags = u->eflags | EFLAGS_FIXED;
    f->rsp = v->gpr[ESP];
    f->ss = u->selector[SS];
    /* what ring 3 cannot see is left as it is */
    f->gpr[RAX] = v->gpr[EAX];
    f->gpr[RCX] = v->gpr[ECX];
    f->gpr[RDX] = v->gpr[EDX];
    f->gpr[RBX] = v->gpr[EBX];
    f->gpr[RBP] = v->gpr[EBP];
    f->gpr[RSI] = v->gpr[ESI];
    f->gpr[RDI] = v->gpr[EDI];
}

static uint64_t descriptor(uint64_t selector) {
    const uint64_t *table = selector & SELECTOR_TI ? running->ldt : running->gdt;

    return table[(selector & 0xffff) / 8];
}

/* An interrupt behind a segment's last instruction leaves EIP beyond the limit, which IRET refuses
 * in ring 0. */
static bool beyond_limit(const struct trap_frame *f) {
    uint64_t code = descriptor(f->cs);
    uint64_t limit = (code & 0xffff) | (code >> 32 & 0xf0000);

    return (uint32_t)f->rip > (code & DESCRIPTOR_G ? limit << 12 | 0xfff : limit);
}

uint32_t user_place(const struct trap_frame *f) {
    uint64_t code = descriptor(f->cs);

    return (uint32_t)((code >> 16 & 0xffffff) | (code >> 32 & 0xff000000)) + (uint32_t)f->rip;
}

void user_resume(struct trap_frame *f) {
    if (beyond_limit(f))
        user_leave(f, HOST_USER_KICKED, 0);
    else if (!(descriptor(f->ss) & DESCRIPTOR_B))
        stack16_resume(f);
}

void user_leave(struct trap_frame *f, unsigned vector, uint64_t address) {
    struct vcpu *v = trap_watched();
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
    v->gpr[EAX] = (uint32_t)f->gpr[RAX];
    v->gpr[ECX] = (uint32_t)f->gpr[RCX];
    v->gpr[EDX] = (uint32_t)f->gpr[RDX];
    v->gpr[EBX] = (uint32_t)f->gpr[RBX];
    v->gpr[ESP] = (uint32_t)f->rsp;
    v->gpr[EBP] = (uint32_t)f->gpr[RBP];
    v->gpr[ESI] = (uint32_t)f->gpr[RSI];
    v->gpr[EDI] = (uint32_t)f->gpr[RDI];
    u->eip = (uint32_t)f->rip;
    u->eflags = (uint32_t)f->rflags;
    u->left[ES] = (uint16_t)es;
    u->left[CS] = (uint16_t)f->cs;
    u->left[SS] = (uint16_t)f->ss;
    u->left[DS] = (uint16_t)ds;
    u->left[FS] = (uint16_t)fs;
    u->left[GS] = (uint16_t)gs;
    u->vector = vector;
    u->error = (uint32_t)f->error;
    u->address = address;
    running = NULL;
    end(f, u);
}
