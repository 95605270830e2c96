/* Task switching: JMP and CALL to a TSS, IRET back by the link, task gates in the GDT and IDT, the
 * busy bits, NT, CR0.TS, what is saved and loaded, #TS for bad new state (SDM vol 3A, chapter 8).
 */
#include "guest.h"

enum { TASK = SEL_FREE, GATE_SEL = SEL_FREE + 8, SMALL = SEL_FREE + 16 };

static struct tss other;

CODE(jump_task, "ljmp $" TEXT(SEL_FREE) ", $0; nop");
CODE(call_task, "lcall $" TEXT(SEL_FREE) ", $0; nop");
CODE(call_gate, "lcall $" TEXT(SEL_FREE) " + 8, $0; nop");
CODE(int_task, "int $0x30; nop");
CODE(jump_small, "ljmp $" TEXT(SEL_FREE) " + 16, $0");
CODE(task_body, "incl %eax; pushfl; popl %ebx; movl %cr0, %ecx; iretl; incl %eax; iretl");
CODE(task_end, "pushfl; popl %ebx; movl %cr0, %ecx");

static void reset(const uint8_t *entry) {
    other = (struct tss){.eip = (uint32_t)entry,
                         .eflags = 2,
                         .esp = STACK_FAULT,
                         .eax = 0x100,
                         .ecx = 0x200,
                         .edx = 0x300,
                         .ebx = 0x400,
                         .ebp = 0x500,
                         .esi = 0x600,
                         .edi = 0x700,
                         .cs = SEL_CODE0,
                         .ss = SEL_DATA0,
                         .ds = SEL_DATA0,
                         .es = SEL_DATA3,
                         .fs = SEL_DATA3,
                         .gs = 0,
                         .cr3 = read_cr3(),
                         .ldt = SEL_LDT};
    gdt_set(TASK, descriptor((uint32_t)&other, 0x67, ACCESS_P | ACCESS_DPL3 | ACCESS_TSS, 0));
    gdt_set(GATE_SEL, gate(TASK, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0));
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS, 0));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    write_cr0(read_cr0() & ~CR0_TS);
}

static void show(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    run(&in);
    bool ended_elsewhere = trap.vector == VECTOR_END && trap.regs.eip == (uint32_t)task_end + 7;
    printf("ring%d ", ring);
    if (ended_elsewhere)
        in.esp = trap.regs.esp;
    report(name, &in);
    uint16_t tr;
    __asm__ volatile("str %0" : "=r"(tr));
    printf("  tr %04x old %02x new %02x link %04x ts %d nt %d\n", tr, gdt_access(SEL_TSS),
           gdt_access(TASK), other.link & 0xFFFF, read_cr0() & CR0_TS ? 1 : 0,
           trap.regs.eflags & FLAG_NT ? 1 : 0);
    printf("  saved here: eip+%d eax %x esp%d cs %x; saved there: eax %x ebx %x ecx %x\n",
           (int)(tss.eip - in.eip), tss.eax, (int)(tss.esp - (ring ? STACK_RING3 : STACK_RING0)),
           tss.cs & 0xFFFF, other.eax, other.ebx & 0xFFFF, other.ecx & 0xFFFF);
}

void guest_main(void) {
    tss.ldt = SEL_LDT;
    tss.cr3 = 0;
    reset(task_body);
    show("CALL a task, IRET back", call_task, 0);
    show("again, where it stopped", call_task, 0);
    reset(task_body);
    show("CALL a task", call_task, 3);
    reset(task_body);
    show("CALL a task gate", call_gate, 3);
    reset(task_body);
    idt[0x30] = gate(TASK, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0);
    show("INT to a task gate", int_task, 3);
    reset(task_end);
    show("JMP to a task", jump_task, 0);

    reset(task_end);
    gdt_set(TASK, descriptor((uint32_t)&other, 0x67, ACCESS_P | ACCESS_TSS_BUSY, 0));
    show("busy task", jump_task, 0);
    reset(task_end);
    gdt_set(TASK, descriptor((uint32_t)&other, 0x67, ACCESS_TSS, 0));
    show("absent task", jump_task, 0);
    reset(task_end);
    gdt_set(TASK, descriptor((uint32_t)&other, 0x67, ACCESS_P | ACCESS_TSS, 0));
    show("DPL 0 task from ring 3", jump_task, 3);
    reset(task_end);
    gdt_set(SMALL, descriptor((uint32_t)&other, 0x66, ACCESS_P | ACCESS_TSS, 0));
    show("TSS too small", jump_small, 0);
}
