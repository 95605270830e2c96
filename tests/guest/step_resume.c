/* EFLAGS.RF and the order of debug exceptions: RF lets one instruction pass a breakpoint and is
 * then clear, faults push it set, traps only between the iterations of a REP; a load of SS holds
 * breakpoints back; one #DB for all that an instruction has met (SDM vol 3B, 17.3.1). */
#include "guest.h"

CODE(nops, "nop; nop; nop; nop");
CODE(loop, "movl $3, %ecx; 1: nop; loop 1b");
CODE(popf_rf, "pushl $0x10002; popfl; nop");
CODE(see_rf, "pushfl; popl %eax");
CODE(rep, "movl $3, %ecx; rep stosb; nop");
CODE(rep_none, "xorl %ecx, %ecx; rep stosb; nop");
CODE(mov_ss, "movl %ss, %eax; movl %eax, %ss; nop; nop");
CODE(pop_ss, "pushl %ss; popl %ss; nop; nop");
CODE(load_ss, "movw (%esi), %ss; nop; nop");
CODE(load_ss_int, "movw (%esi), %ss; int $0x30; nop");
CODE(load_ss_fault, "movw (%esi), %ss; ud2");
CODE(store, "movl %eax, (%esi); nop");
CODE(fault, "ud2");
CODE(divide, "movl $0xffff, %eax; divb (%esi)");
CODE(int3, "int3; nop");
CODE(detect, "movl %dr0, %ecx; nop");
CODE(iret_rf, "pushfl; orl $0x10000, (%esp); pushl %cs; pushl $1f; iretl; 1: nop; nop");
CODE(iret_norf, "pushfl; pushl %cs; pushl $1f; iretl; 1: nop; nop");

static uint32_t start, dr7;

/* Prints each #DB: EIP, what it adds to DR6, R and T for RF and TF in the image pushed. */
static void on_debug(struct trap_frame *frame) {
    uint32_t dr6 = read_dr6() & 0xE00F;

    if (frame->eip == idt_entry(0x30))
        printf(" handler");
    else
        printf(" +%u", frame->eip - start);
    printf("/%04x%s%s", dr6, frame->eflags & FLAG_RF ? "R" : "",
           frame->eflags & FLAG_TF ? "T" : "");
    write_dr6(0);
    /* back to the instruction of a breakpoint, past it */
    if (dr6 && !(dr6 & 0xC000))
        frame->eflags |= FLAG_RF;
}

static void on_int30(struct trap_frame *frame) {
    (void)frame;
    printf(" int");
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t flags) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

    in.eflags |= flags;
    in.esi = in.edi = ARENA;
    *(volatile uint32_t *)ARENA = in.ss;
    start = in.eip;
    printf("ring%d %s:", ring, name);
    write_dr7(dr7);
    run(&in);
    if (trap.vector == VECTOR_END)
        printf(" end");
    else
        printf(" %s +%u%s", vector_name(trap.vector), trap.regs.eip - start,
               trap.regs.eflags & FLAG_RF ? " RF" : "");
    if (code == see_rf)
        printf(", PUSHF has RF %u", trap.regs.eax >> 16 & 1);
    if (read_dr6() != 0xFFFF0FF0)
        printf(", dr6 %08x", read_dr6());
    if (code == detect)
        printf(", dr7 %08x", read_dr7());
    printf("\n");
    write_dr6(0);
    write_dr7(0);
}

enum { LOCAL0 = 1, GLOBAL0 = 2, GLOBAL1 = 8, ACCESS4_0 = 0xF << 16 };

/* DR0 and DR1 at one place; DR7 for the attempts that follow. */
static void set(const uint8_t *code, uint32_t offset, uint32_t enable) {
    write_dr0((uint32_t)code + offset);
    write_dr1((uint32_t)code + offset);
    dr7 = enable;
}

static void both(const char *name, const uint8_t *code, uint32_t flags) {
    attempt(name, code, 0, flags);
    attempt(name, code, 3, flags);
}

void guest_main(void) {
    trap_handlers[1] = on_debug;
    trap_handlers[0x30] = on_int30;
    idt[0x30] |= (uint64_t)ACCESS_DPL3 << 40;
    idt[3] |= (uint64_t)ACCESS_DPL3 << 40;
    write_dr6(0);

    set(nops, 1, GLOBAL0);
    both("one breakpoint", nops, 0);
    set(nops, 1, LOCAL0);
    both("enabled locally", nops, 0);
    set(nops, 1, LOCAL0 | GLOBAL1);
    both("two at one place", nops, 0);
    set(nops, 0, GLOBAL0);
    write_dr1((uint32_t)nops + 2);
    dr7 = GLOBAL0 | GLOBAL1;
    both("two places", nops, 0);
    both("two places, RF", nops, FLAG_RF);
    both("two places, TF", nops, FLAG_TF);
    set(loop, 5, GLOBAL0);
    both("in a loop", loop, 0);
    set(popf_rf, 6, GLOBAL0);
    both("RF popped by POPF", popf_rf, 0);
    set(rep, 5, GLOBAL0);
    both("REP", rep, 0);
    both("REP, TF", rep, FLAG_TF);
    set(rep_none, 2, GLOBAL0);
    both("REP of none", rep_none, 0);
    set(mov_ss, 4, GLOBAL0);
    both("behind MOV SS", mov_ss, 0);
    set(mov_ss, 5, GLOBAL0);
    both("one behind MOV SS", mov_ss, 0);
    set(pop_ss, 2, GLOBAL0);
    both("behind POP SS", pop_ss, 0);
    set(iret_rf, 15, GLOBAL0);
    attempt("IRET sets RF", iret_rf, 0, 0);
    set(iret_norf, 8, GLOBAL0);
    attempt("IRET does not", iret_norf, 0, 0);

    set((const uint8_t *)ARENA, 0, GLOBAL0 | ACCESS4_0);
    both("access by MOV SS", load_ss, 0);
    both("access by MOV SS, TF", load_ss, FLAG_TF);
    both("access by MOV SS, INT", load_ss_int, 0);
    both("access by MOV SS, fault", load_ss_fault, 0);
    both("store", store, 0);
    both("store, TF", store, FLAG_TF);
    both("access, fault", divide, 0);
    both("REP, each element", rep, 0);
    both("REP, each element, TF", rep, FLAG_TF);

    dr7 = 0;
    both("fault", fault, 0);
    both("INT3", int3, 0);
    both("RF seen", see_rf, FLAG_RF);
    dr7 = 0x2000;
    attempt("general detect", detect, 0, 0);
}
