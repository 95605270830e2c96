/* Returns that do not go back to their call, often enough for a monitor to rely on it that they do,
 * and calls that no return belongs to (SDM vol 1, 6.4.1; vol 2, CALL, RET). */
#include "guest.h"

enum {
    OFTEN = 3000000,
    PAGE = 0x41404000, /* linear; its bytes are instructions: INC EAX, INC ECX */
    STACKS = ARENA + 0x10000,
};

/* One of 16 returns goes past INC EAX; the flags are what the function leaves. */
CODE(moved, "1: call 2f; incl %eax; adcl $0, %ebx; decl %ecx; jnz 1b; int $0xf0; "
            "2: testl $15, %ecx; jnz 3f; incl (%esp); 3: btl $4, %ecx; ret");
/* One of 8 leaves its caller out. */
CODE(past, "1: call 2f; incl %eax; decl %ecx; jnz 1b; int $0xf0; 2: call 3f; incl %ebx; ret; "
           "3: testl $7, %ecx; jz 4f; ret; 4: addl $4, %esp; ret");
/* Two on their own stacks, each of whose returns goes to the other. */
CODE(stacks, "call 1f; 1: popl %edx; addl $(4f - 1b), %edx; movl %edx, (%edi); "
             "2: call 3f; incl %eax; decl %ecx; jnz 2b; int $0xf0; "
             "3: xchgl %esp, %edi; ret; 4: call 3b; incl %ebx; jmp 4b");
/* Returns as jumps: to one of two places, none of which has been called. */
CODE(jumps, "call 1f; 1: popl %edx; movl %edx, %edi; addl $(3f - 1b), %edx; addl $(4f - 1b), %edi; "
            "2: xchgl %edx, %edi; pushl %edx; ret; 3: incl %eax; decl %ecx; jnz 2b; int $0xf0; "
            "4: incl %ebx; decl %ecx; jnz 2b; int $0xf0");
/* Calls of what stands behind them, in a function and around it. */
CODE(next, "1: call 2f; 2: popl %edx; call 3f; subl %edx, %edi; movl %edi, %ebx; incl %eax; decl "
           "%ecx; jnz 1b; "
           "int $0xf0; 3: call 4f; 4: popl %edi; ret");

static void attempt(const char *name, const uint8_t *code, uint32_t times) {
    for (int ring = 0; ring <= 3; ring += 3) {
        struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

        in.eax = in.ebx = in.edx = 0;
        in.ecx = times;
        in.esp = STACKS + 0x1000;
        in.edi = STACKS + 0x2000;
        run(&in);
        printf("%s, ring %d: vector %x, eax %u ebx %u ecx %u, esp %x\n", name, ring, trap.vector,
               trap.regs.eax, trap.regs.ebx, trap.regs.ecx, trap.regs.esp);
    }
}

/* What the call pushes is what runs next. */
static void push_over(uint32_t offset) {
    static const uint8_t code[] = {0xe8, 0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90, 0xcd, VECTOR_END};
    uint8_t *at = (uint8_t *)PAGE + offset;
    struct regs in = regs_ring3(at);

    for (uint32_t k = 0; k < sizeof code; k++)
        ((volatile uint8_t *)at)[k] = code[k];
    in.eax = in.ebx = in.ecx = in.edi = 0;
    in.esp = (uint32_t)at + 9;
    run(&in);
    printf("pushed over what is next: eax %u ebx %u ecx %u edi %u, esp %x\n", trap.regs.eax,
           trap.regs.ebx, trap.regs.ecx, trap.regs.edi, trap.regs.esp);
}

void guest_main(void) {
    uint32_t *table;

    attempt("moved", moved, OFTEN);
    attempt("past", past, OFTEN);
    attempt("stacks", stacks, OFTEN);
    attempt("jumps", jumps, OFTEN);
    attempt("next", next, OFTEN);
    paging_init();
    write_cr3((uint32_t)paging_new_space(PAGE, &table));
    table[PAGE >> 12 & 0x3ff] = (ARENA + 0x20000) | PTE_ALL;
    for (int times = 0; times < 3; times++) {
        push_over(0x342); /* INC EDI, INC EBX, INC EAX, INC ECX */
        push_over(0x742); /* INC EDI twice, INC EAX, INC ECX */
    }
}
