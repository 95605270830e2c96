/* Debug exceptions and task switches: the T bit, single step by the TF of the old and of the new
 * task, breakpoints that the switching instruction meets, local and global enables, one #DB for all
 * that is due (SDM vol 3A, 7.2.1 and 7.3; vol 3B, 17.2.3, 17.2.4, 17.3.1). */
#include "guest.h"

enum { TASK = SEL_FREE, GATE = SEL_FREE + 16 };
enum { L0 = 0x1, G0 = 0x2, L1 = 0x4, G1 = 0x8 };
enum { LENGTH4 = 3, READ_WRITE = 3 };
#define WATCH0 ((uint32_t)(LENGTH4 << 2 | READ_WRITE) << 16)

static struct tss task;
static uint32_t pointer[2];

CODE(jump, "ljmpl *(%esi)");
CODE(call, "lcall $" TEXT(SEL_FREE) ", $0");
CODE(call_gate, "lcall $" TEXT(SEL_FREE) " + 16, $0");
CODE(by_int, "int $0x40");
CODE(after_ss, "movw (%ecx), %ss; ljmpl *(%esi)");
CODE(body, "nop; nop; nop");
CODE(back, "nop; iretl");

static void prepare(bool t, uint32_t eflags) {
    task = (struct tss){.eip = (uint32_t)body,
                        .eflags = eflags | 2,
                        .esp = STACK_FAULT,
                        .es = SEL_DATA0,
                        .cs = SEL_CODE0,
                        .ss = SEL_DATA0,
                        .ds = SEL_DATA0,
                        .trap = t,
                        .io_base = sizeof(struct tss)};
    gdt_set(TASK, descriptor((uint32_t)&task, 0x67, ACCESS_P | ACCESS_TSS, 0));
    gdt_set(GATE, gate(TASK, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0));
    pointer[1] = TASK;
    write_dr7(0x400);
    write_dr6(0xFFFF0FF0);
}

static void leave_task(void) {
    gdt_set(SEL_TSS, gdt[SEL_TSS / 8] & ~(2ULL << 40));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
}

static void show(const char *name, const uint8_t *code, uint32_t dr7, uint32_t eflags) {
    struct regs in = regs_ring0(code);
    in.esi = (uint32_t)pointer;
    in.ecx = ARENA;
    in.eflags |= eflags;
    write_dr7(0x400 | dr7);
    run(&in);
    uint32_t seen7 = read_dr7();
    write_dr7(0x400);
    bool there = trap.regs.eip - (uint32_t)body < 8, here = trap.regs.eip - in.eip < 32;
    printf("%s: %s at %s+%d, dr6 %x dr7 %x, tf %d nt %d\n", name,
           trap.vector == VECTOR_END ? "end" : vector_name(trap.vector),
           there  ? "task"
           : here ? "code"
                  : "elsewhere",
           there  ? (int)(trap.regs.eip - (uint32_t)body)
           : here ? (int)(trap.regs.eip - in.eip)
                  : 0,
           read_dr6() & 0xF00F, seen7 & 0xFF, !!(trap.regs.eflags & FLAG_TF),
           !!(trap.regs.eflags & FLAG_NT));
    leave_task();
}

void guest_main(void) {
    write_cr4(CR4_DE);
    *(volatile uint32_t *)ARENA = SEL_DATA0;

    prepare(false, 0);
    show("plain", jump, 0, 0);
    prepare(true, 0);
    show("T", jump, 0, 0);
    prepare(true, 0);
    show("T by CALL", call, 0, 0);
    prepare(true, 0);
    show("T by gate", call_gate, 0, 0);
    prepare(true, 0);
    idt[0x40] = gate(TASK, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
    show("T by INT", by_int, 0, 0);
    prepare(true, 0);
    show("T by INT with TF", by_int, 0, FLAG_TF);

    prepare(false, 0);
    show("TF of the old task", jump, 0, FLAG_TF);
    prepare(false, FLAG_TF);
    show("TF of the new task", jump, 0, 0);
    prepare(true, 0);
    show("T and TF of the old task", jump, 0, FLAG_TF);

    write_dr0((uint32_t)pointer);
    prepare(false, 0);
    show("watched operand", jump, G0 | WATCH0, 0);
    prepare(true, 0);
    show("T and watched operand", jump, G0 | WATCH0, 0);
    prepare(true, 0);
    show("T, TF, watched operand", jump, G0 | WATCH0, FLAG_TF);
    prepare(false, 0);
    show("local enables end", jump, L0 | G0 | L1 | G1 | WATCH0, 0);
    write_dr0(ARENA);
    prepare(true, 0);
    show("T and what MOV SS held back", after_ss, G0 | WATCH0, 0);

    /* Instruction breakpoint on the new task's first instruction: behind the T trap, a fault. */
    write_dr0((uint32_t)body);
    prepare(false, 0);
    show("breakpoint in the task", jump, G0, 0);
    prepare(true, 0);
    show("T before the breakpoint", jump, G0, 0);
    prepare(false, 0);
    show("local breakpoint in the task", jump, L0, 0);

    /* A task's T bit is looked at when it is returned to as well. */
    prepare(false, 0);
    task.eip = (uint32_t)back;
    tss.trap = 1;
    struct regs in = regs_ring0(call);
    run(&in);
    printf("dr6 %x, ", read_dr6() & 0xF00F);
    report("T by IRET", &in);
    tss.trap = 0;
}
