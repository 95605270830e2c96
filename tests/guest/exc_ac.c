/* #AC: alignment check in ring 3 with CR0.AM and EFLAGS.AC, and never otherwise (SDM vol 3A, 6.15
 * vector 17). */
#include "guest.h"

CODE(read4, "movl 1(%esi), %eax");
CODE(read4_even, "movl 2(%esi), %eax");
CODE(read4_aligned, "movl 4(%esi), %eax");
CODE(read2, "movw 1(%esi), %ax");
CODE(read1, "movb 1(%esi), %al");
CODE(write4, "movl %eax, 3(%esi)");
CODE(push_odd, "pushl %eax");
CODE(rmw, "addl %eax, 2(%esi)");
CODE(movs, "incl %esi; movsl");
CODE(far_pointer, "lesl 1(%esi), %eax");

static void attempt(const char *name, const uint8_t *code, int ring, bool am, bool ac) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = ARENA;
    in.edi = ARENA + 64;
    if (code == push_odd)
        in.esp -= 2;
    in.eflags |= ac ? FLAG_AC : 0;
    volatile uint32_t *words = (volatile uint32_t *)ARENA;
    for (int i = 0; i < 32; i++)
        words[i] = 0;
    write_cr0(CR0_PE | CR0_ET | (am ? CR0_AM : 0));
    run(&in);
    printf("cpl%d am%d ac%d ", ring, am, ac);
    report(name, &in);
}

#define CASES(code)                                                                                \
    attempt(#code, code, 3, true, true);                                                           \
    attempt(#code, code, 3, true, false);                                                          \
    attempt(#code, code, 3, false, true);                                                          \
    attempt(#code, code, 0, true, true)

void guest_main(void) {
    CASES(read4);
    CASES(read4_even);
    CASES(read4_aligned);
    CASES(read2);
    CASES(read1);
    CASES(write4);
    CASES(push_odd);
    CASES(rmw);
    CASES(movs);
    CASES(far_pointer);
}
