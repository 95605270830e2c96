/* Single step: #DB after each instruction and each iteration of a REP, DR6.BS, not after MOV SS, TF
 * set by POPF and IRET, TF cleared in handlers, INT and faults under TF, ICEBP (SDM vol 3B, 17.3).
 */
#include "guest.h"

CODE(plain, "nop; incl %eax; movl %eax, %ebx; cmpl %eax, %ebx; je 1f; nop; 1: nop");
CODE(rep, "movl $3, %ecx; rep stosb; nop");
CODE(repe, "movl $5, %ecx; repe cmpsb; nop");
CODE(mov_ss, "nop; movl %ss, %eax; movl %eax, %ss; nop; nop");
CODE(pop_ss, "pushl %ss; popl %ss; nop; nop");
CODE(pushf_popf, "pushfl; popl %eax; pushl $2; popfl; nop; nop");
CODE(set_by_popf, "pushl $0x102; popfl; nop; nop; pushl $2; popfl; nop");
CODE(soft_int, "nop; int $0x30; nop");
CODE(fault, "nop; ud2");
CODE(call_ret, "call 1f; jmp 2f; 1: ret; 2: nop");
CODE(segment, "pushl %ds; popl %ds; nop");
CODE(icebp, "nop; .byte 0xf1; nop");
CODE(loop_insn, "movl $2, %ecx; 1: loop 1b; nop");
CODE(iret_to_tf, "pushl $0x102; pushl %cs; call 1f; nop; nop; int $0xf0; 1: iretl");
CODE(io, "inb $0x80, %al; nop");
CODE(read_cr, "movl %cr0, %eax; nop");
CODE(hlt_free, "cpuid; rdtsc; nop");

static struct { uint32_t eip, ecx; } steps[64];
static uint32_t count, start, dr6_wrong;
static bool int30_tf;

static void on_debug(struct trap_frame *frame) {
    if (count < 40) {
        steps[count].eip = frame->eip - start;
        steps[count].ecx = frame->ecx;
    }
    count++;
    dr6_wrong += (read_dr6() & 0xE00F) != 0x4000;
    write_dr6(0);
    if (read_eflags() & FLAG_TF)
        dr6_wrong += 100;
}

static void on_int30(struct trap_frame *frame) {
    int30_tf = frame->eflags & FLAG_TF;
}

static void attempt(const char *name, const uint8_t *code, int ring, bool tf) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.eflags |= (tf ? FLAG_TF : 0);
    in.esi = in.edi = ARENA;
    start = in.eip;
    count = dr6_wrong = 0;
    int30_tf = false;
    run(&in);
    printf("ring%d %s: %s, %u steps:", ring, name,
           trap.vector == VECTOR_END ? "end" : vector_name(trap.vector), count);
    for (uint32_t i = 0; i < count && i < 40; i++) {
        printf(" %u", steps[i].eip);
        if (code == rep || code == repe || code == loop_insn)
            printf("/%x", steps[i].ecx & 0xFF);
    }
    if (dr6_wrong)
        printf(" DR6 wrong %u", dr6_wrong);
    if (code == pushf_popf)
        printf(" (PUSHF has TF %d)", trap.regs.eax >> 8 & 1);
    if (int30_tf)
        printf(" (TF in the INT's frame)");
    if (trap.vector != VECTOR_END)
        printf(" eip+%u tf %d", trap.regs.eip - start, trap.regs.eflags >> 8 & 1);
    printf("\n");
}

#define BOTH(code)                                                                                 \
    attempt(#code, code, 0, true);                                                                 \
    attempt(#code, code, 3, true)

void guest_main(void) {
    trap_handlers[1] = on_debug;
    trap_handlers[0x30] = on_int30;
    idt[0x30] |= (uint64_t)ACCESS_DPL3 << 40;
    write_dr6(0);
    BOTH(plain);
    BOTH(rep);
    BOTH(repe);
    BOTH(mov_ss);
    BOTH(pop_ss);
    BOTH(pushf_popf);
    attempt("set_by_popf", set_by_popf, 0, false);
    attempt("set_by_popf", set_by_popf, 3, false);
    BOTH(soft_int);
    BOTH(fault);
    BOTH(call_ret);
    BOTH(segment);
    BOTH(loop_insn);
    attempt("iret_to_tf", iret_to_tf, 0, false);
    attempt("iret_to_tf", iret_to_tf, 3, false);
    attempt("io", io, 0, true);
    attempt("io, denied", io, 3, true);
    attempt("read_cr", read_cr, 0, true);
    attempt("read_cr, denied", read_cr, 3, true);
    BOTH(hlt_free);

    /* ICEBP raises #DB as a trap without setting DR6.BS. */
    trap_handlers[1] = 0;
    write_dr6(0);
    RING0(icebp);
    printf("dr6 %08x\n", read_dr6());
    RING3(icebp);
}
