/* Single step and breakpoints with events and system instructions: HLT, STI, SYSENTER, INT3, INTO,
 * BOUND, ICEBP, far calls, port I/O, string instructions that stop early; task switches with the T
 * bit, TF, local breakpoints and RF (SDM vol 3B, 17.2, 17.3; vol 3A, 7.3). */
#include "guest.h"

enum { TASK = SEL_FREE, GATE = SEL_FREE + 8, CALL_GATE = (SEL_FREE + 16) | 3 };
enum { MSR_CS = 0x174, MSR_ESP = 0x175, MSR_EIP = 0x176 };

CODE(halt, "hlt; nop");
CODE(sti_cli, "sti; nop; cli; nop");
CODE(sysenter, "sysenter");
CODE(entered, "nop; nop");
CODE(int3, "nop; int3; nop");
CODE(into, "into; nop");
CODE(bound, "boundl %eax, (%esi); nop");
CODE(icebp, "nop; .byte 0xf1; nop");
CODE(far_call, "lcall $0x8, $1f; jmp 2f; 1: lret; 2: nop");
CODE(call_gate, "lcall $0x5b, $0; nop");
CODE(gate_code, "lret");
CODE(rep_outs, "movl $0x80, %edx; movl $2, %ecx; rep outsb; nop");
CODE(rep_ins, "movl $0x80, %edx; movl $2, %ecx; rep insb; nop");
CODE(repne_scas, "movl $5, %ecx; xorl %eax, %eax; repne scasb; nop");
CODE(repe_cmps, "movl $5, %ecx; leal 8(%esi), %edi; repe cmpsb; nop");
CODE(rep_lods, "movl $2, %ecx; rep lodsb; nop");
CODE(rep_movs, "movl $2, %ecx; rep movsb; nop");
CODE(lss, "lssl (%esi), %esp; nop; nop");
CODE(out_dx, "movl $0x81, %edx; outw %ax, %dx; nop");
CODE(in_imm, "inb $0x83, %al; nop");
CODE(call_task, "lcall $0x48, $0; nop");
CODE(ud, "ud2");

extern const uint8_t body[];
__asm__(".text\nbody: nop; nop; iretl; jmp body\n");

static struct tss task;
static uint32_t start;

static void on_debug(struct trap_frame *frame) {
    if (frame->eip - (uint32_t)body < 3)
        printf(" task+%u", frame->eip - (uint32_t)body);
    else if (frame->eip - (uint32_t)entered < 3)
        printf(" entry+%u", frame->eip - (uint32_t)entered);
    else if (frame->eip == (uint32_t)gate_code)
        printf(" gate");
    else
        printf(" +%u", frame->eip - start);
    if (frame->eip == (uint32_t)body + 2)
        frame->eflags &= ~FLAG_TF;
    printf("/%04x%s", read_dr6() & 0xE00F, frame->eflags & FLAG_RF ? "R" : "");
    write_dr6(0);
}

static void on_int(struct trap_frame *frame) {
    printf(" %s+%u%s", vector_name(frame->vector), frame->eip - start,
           frame->eflags & FLAG_TF ? "T" : "");
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t flags) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

    in.eflags |= flags;
    in.esi = in.edi = ARENA;
    start = in.eip;
    printf("ring%d %s:", ring, name);
    run(&in);
    if (trap.vector == VECTOR_END)
        printf(" end");
    else
        printf(" %s +%u%s", vector_name(trap.vector), trap.regs.eip - start,
               trap.regs.eflags & FLAG_RF ? " RF" : "");
    printf("\n");
}

#define STEP0(code) attempt(#code, code, 0, FLAG_TF)
#define STEP3(code) attempt(#code, code, 3, FLAG_TF)
#define STEP(code)                                                                                 \
    STEP0(code);                                                                                   \
    STEP3(code)

static void prepare_task(uint32_t eflags, uint16_t trap_bit) {
    task = (struct tss){.eip = (uint32_t)body,
                        .eflags = eflags | 2,
                        .esp = STACK_FAULT,
                        .es = SEL_DATA0,
                        .cs = SEL_CODE0,
                        .ss = SEL_DATA0,
                        .ds = SEL_DATA0,
                        .trap = trap_bit,
                        .io_base = sizeof(struct tss)};
    gdt_set(TASK, descriptor((uint32_t)&task, 0x67, ACCESS_P | ACCESS_TSS, 0));
    tss.eip = tss.eflags = 0;
}

static void tasks(void) {
    prepare_task(0, 0);
    attempt("task switch", call_task, 0, 0);
    prepare_task(0, 1);
    attempt("T bit", call_task, 0, 0);
    prepare_task(FLAG_TF, 0);
    attempt("TF in the new task", call_task, 0, 0);

    /* Local breakpoints go, global ones stay. */
    write_dr0((uint32_t)body + 1);
    write_dr1((uint32_t)body + 1);
    prepare_task(0, 0);
    write_dr7(0x1);
    attempt("local breakpoint", call_task, 0, 0);
    printf("dr7 %08x\n", read_dr7());
    prepare_task(FLAG_RF, 0);
    write_dr0((uint32_t)body);
    write_dr7(0x3);
    attempt("RF in the new task", call_task, 0, 0);
    printf("dr7 %08x\n", read_dr7());
    write_dr7(0);

    /* The image a fault leaves in the old task's TSS has RF set. */
    prepare_task(0, 0);
    idt[6] = gate(TASK, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
    struct regs in = regs_ring0(ud);
    task.eip = idt_entry(VECTOR_END);
    run(&in);
    printf("fault through a task gate: old task eip+%d RF %u\n", (int)(tss.eip - in.eip),
           tss.eflags >> 16 & 1);
}

void guest_main(void) {
    trap_handlers[1] = on_debug;
    trap_handlers[3] = on_int;
    trap_handlers[4] = on_int;
    idt[3] |= (uint64_t)ACCESS_DPL3 << 40;
    idt[4] |= (uint64_t)ACCESS_DPL3 << 40;
    write_dr6(0);
    for (int i = 0; i < 16; i++)
        ((volatile uint8_t *)ARENA)[i] = (uint8_t)(i % 8 == 2 ? i / 8 : 0x55);

    STEP0(halt);
    STEP0(sti_cli);
    wrmsr(MSR_CS, SEL_CODE0);
    wrmsr(MSR_ESP, STACK_RING0);
    wrmsr(MSR_EIP, (uint32_t)entered);
    STEP3(sysenter);
    STEP(int3);
    attempt("into", into, 0, FLAG_TF | FLAG_OF);
    attempt("into", into, 3, FLAG_TF | FLAG_OF);
    attempt("into, not taken", into, 3, FLAG_TF);
    STEP(bound);
    STEP(icebp);
    STEP0(far_call);
    gdt_set(CALL_GATE,
            gate(SEL_CODE0, (uint32_t)gate_code, ACCESS_P | ACCESS_DPL3 | ACCESS_CALL_GATE, 0));
    STEP(call_gate);
    STEP0(rep_outs);
    STEP0(rep_ins);
    ((volatile uint8_t *)ARENA)[2] = 0;
    STEP(repne_scas);
    STEP(repe_cmps);
    STEP(rep_lods);
    STEP(rep_movs);
    ((volatile uint32_t *)ARENA)[0] = STACK_RING0;
    ((volatile uint32_t *)ARENA)[1] = SEL_DATA0;
    STEP0(lss);

    /* I/O breakpoints, of two bytes at 80h. */
    write_cr4(8);
    write_dr0(0x81);
    write_dr7(2 | 2 << 16 | 1 << 18);
    attempt("I/O, REP OUTS", rep_outs, 0, 0);
    attempt("I/O, REP INS and TF", rep_ins, 0, FLAG_TF);
    attempt("I/O, overlapping", out_dx, 0, 0);
    attempt("I/O, another port", in_imm, 0, 0);
    write_cr4(0);
    write_dr7(0);
    tasks();
}
