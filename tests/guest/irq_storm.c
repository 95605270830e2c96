/* Everything that holds state across instructions, under a fast timer: flags live over long loops,
 * PUSHF/POPF, calls and returns, the stack, memory that is read and written back, segment
 * registers, x87, MMX and SSE registers. Each snippet must end as it does without interrupts, also
 * when the handler uses the FPU itself (SDM vol 3A, 6.6). */
#include "guest.h"
#include "storm.h"

#define LOOP(n, body) "movl $" #n ", %ecx; 1: " body "; decl %ecx; jnz 1b"

CODE(carry_chain, LOOP(8000, "adcl %edx, %eax; sbbl %eax, %ebx; rcll $3, %edx"));
/* Flags alive over jumps backwards and forwards, where interrupts are taken. */
CODE(flags_over_jumps, "movl $6000, %ecx; stc; 1: adcl %edx, %eax; leal -1(%ecx), %ecx; jecxz 3f; "
                       "jmp 2f; nop; 2: adcl %eax, %ebx; jmp 1b; 3: adcl $0, %ebx");
CODE(flags_read, LOOP(3000, "addl %eax, %ebx; seto %dl; setp %dh; lahf; sbbl %esi, %esi; cmovsl "
                            "%ebx, %edi; addl %edx, %eax; jnp 2f; notl %eax; 2: sahf; rcrl %ebp"));
CODE(pushf_popf, LOOP(1200, "addl %eax, %ebx; pushfl; xorl %ebx, %eax; addl $77, %edi; popfl; adcl "
                            "%edx, %eax; pushfl; andl $0x8d5, (%esp); popl %esi; addl %esi, %edx"));
CODE(direction,
     LOOP(1000, "std; leal 0x3000(%ebp), %edi; stosl; lodsb; cld; stosl; addl %edi, %eax; "
                "leal 0x1000(%ebp), %esi"));
CODE(mul_div, LOOP(2500, "mull %ebx; addl %edx, %eax; orl $1, %ebx; xorl %edx, %edx; divl %ebx; "
                         "addl %edx, %ebx; imull $77, %eax, %eax; shldl $5, %eax, %ebx"));
CODE(bcd, LOOP(800, "addb %bl, %al; daa; aam; aad; aaa; adcl %eax, %ebx; das; xchgl %eax, %edx"));

CODE(calls,
     LOOP(1500, "call 2f; addl %eax, %ebx; jmp 4f; 2: call 3f; incl %eax; ret; 3: leal 3(%eax, "
                "%ebx), %eax; ret; 4:"));
CODE(recursion,
     "movl $16, %eax; call 1f; jmp 3f; 1: cmpl $2, %eax; jb 2f; pushl %eax; decl %eax; "
     "call 1b; xchgl %eax, (%esp); subl $2, %eax; call 1b; popl %ecx; addl %ecx, %eax; 2: "
     "ret; 3:");
CODE(indirect_calls,
     "movl $2f, (%ebp); movl $3f, 4(%ebp); movl $1500, %ecx; 1: movl %ecx, %edx; "
     "andl $1, %edx; call *(%ebp, %edx, 4); decl %ecx; jnz 1b; jmp 4f; 2: addl %ecx, "
     "%eax; ret; 3: rorl $1, %eax; pushl $5f; ret; 5: incl %ebx; ret; 4:");
CODE(ret_n, LOOP(1500, "pushl %eax; pushl %ecx; call 2f; addl %eax, %ebx; jmp 3f; 2: movl 4(%esp), "
                       "%eax; addl 8(%esp), %eax; ret $8; 3:"));
CODE(stack,
     LOOP(1000, "pushl %eax; pushw %bx; pushal; addl %ebx, (%esp); popal; popw %dx; popl %ebx; "
                "addl %edx, %eax; enter $16, $0; movl %eax, -4(%ebp); leave; pushl %esp; popl "
                "%edi; addl %edi, %ebx"));
CODE(iret_loop,
     LOOP(300, "addl %ebx, %eax; pushfl; pushl %cs; call 2f; adcl %eax, %ebx; jmp 3f; 2: "
               "xorl %ebx, %edx; iretl; 3:"));

CODE(memory, LOOP(1500, "incl (%ebp); addl %eax, 4(%ebp); adcl $0, 8(%ebp); notl 12(%ebp); xaddl "
                        "%eax, 16(%ebp); lock; incl 20(%ebp); xchgl %ebx, 24(%ebp); rcll $1, "
                        "28(%ebp); lock; btcl %ecx, 32(%ebp); adcl 12(%ebp), %edx"));
CODE(compare_exchange,
     LOOP(1000, "movl (%ebp), %eax; leal 1(%eax), %ebx; lock; cmpxchgl %ebx, "
                "(%ebp); movl 8(%ebp), %eax; movl 12(%ebp), %edx; pushl %ecx; movl "
                "%edx, %ecx; cmpxchg8b 8(%ebp); popl %ecx; adcl $0, 4(%ebp)"));
CODE(segments,
     LOOP(400, "pushl %ds; popl %fs; movl %fs:(%ebp), %eax; addl %eax, %ebx; pushl %es; "
               "pushl %ss; popl %es; incl %es:(%ebp); popl %es; movl %ds, %edx; movl %edx, "
               "%gs; adcl %gs:(%ebp), %ebx"));
CODE(loop_forms,
     "xorl %eax, %eax; movl $3000, %ecx; 1: addl %ecx, %eax; loop 1b; movl $3000, %ecx; 1: "
     "incl %eax; cmpl %eax, %ebx; loopne 1b; movl $300, %ecx; movl %ebp, %ebx; 1: movb "
     "%cl, %al; xlatb; addl %eax, %edx; loop 1b");

CODE(x87,
     "fninit; fld1; fldpi; fldl2e; " LOOP(
         800, "fmul %st(1); fadd %st(2); fsqrt; fxch; fadd %st(2); fld %st; fptan; fstp %st; fcomi "
              "%st(1); fstp %st; adcl $0, %ebx; fincstp; fdecstp") "; fstpl (%ebp); fstpl 8(%ebp); "
                                                                   "fstpl 16(%ebp); fnstcw "
                                                                   "24(%ebp); fnstsw 26(%ebp); "
                                                                   "fninit");
CODE(sse,
     "xorps %xmm2, %xmm2; xorps %xmm3, %xmm3; movups (%ebp), %xmm0; movups 16(%ebp), %xmm1; movups "
     "32(%ebp), %xmm7; pushl $0x7f80; ldmxcsr "
     "(%esp); popl %eax; " LOOP(
         2000, "paddd %xmm1, %xmm0; pxor %xmm0, %xmm7; pmuludq %xmm7, %xmm1; pshufd $0x39, %xmm1, "
               "%xmm1; movd %xmm0, %eax; addl %eax, %ebx; cvtsi2sd %ecx, %xmm2; mulsd %xmm2, "
               "%xmm2; addsd %xmm2, %xmm3") "; movups %xmm0, (%ebp); movups %xmm1, 16(%ebp); "
                                            "movups %xmm7, 32(%ebp); movups %xmm3, 48(%ebp); "
                                            "stmxcsr 64(%ebp)");
CODE(mmx,
     "movq (%ebp), %mm0; movq 8(%ebp), %mm5; " LOOP(
         2500, "paddw %mm5, %mm0; pmullw %mm0, %mm5; pxor %mm0, %mm5; psllq $1, %mm0; movd %mm0, "
               "%eax; adcl %eax, %ebx") "; movq %mm0, (%ebp); movq %mm5, 8(%ebp); emms");

enum { HITS = 40, SAVE = ARENA };

#define ROW(code)                                                                                  \
    { #code, code }
static const struct row {
    const char *name;
    const uint8_t *code;
} rows[] = {
    ROW(carry_chain),
    ROW(flags_over_jumps),
    ROW(flags_read),
    ROW(pushf_popf),
    ROW(direction),
    ROW(mul_div),
    ROW(bcd),
    ROW(calls),
    ROW(recursion),
    ROW(indirect_calls),
    ROW(ret_n),
    ROW(stack),
    ROW(iret_loop),
    ROW(memory),
    ROW(compare_exchange),
    ROW(segments),
    ROW(loop_forms),
    ROW(x87),
    ROW(sse),
    ROW(mmx),
};

/* An interrupt handler with x87 and SSE registers of its own. */
static void use_fpu(void) {
    __asm__ volatile("fxsave (%0)\n"
                     "fninit\n"
                     "fldz\n"
                     "fldlg2\n"
                     "faddp\n"
                     "pxor %%xmm0, %%xmm0\n"
                     "pcmpeqd %%xmm7, %%xmm7\n"
                     "movaps %%xmm7, %%xmm1\n"
                     "movaps %%xmm7, %%xmm3\n"
                     "fxrstor (%0)\n"
                     :
                     : "r"(SAVE)
                     : "memory");
}

static void all(const char *title, int ring) {
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct regs in = ring ? regs_ring3(rows[i].code) : regs_ring0(rows[i].code);
        in.ebp = STORM_MEMORY;
        in.esi = STORM_MEMORY + 0x100;
        wrong += storm(rows[i].name, &in, HITS);
    }
    printf("%s, ring %d: %u wrong\n", title, ring, wrong);
}

static void everywhere(const char *title) {
    all(title, 0);
    all(title, 3);
}

void guest_main(void) {
    write_cr0(CR0_PE | CR0_ET | CR0_NE | CR0_MP);
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
    storm_begin();
    everywhere("plain handler");
    storm_hook = use_fpu;
    everywhere("handler with FPU");
    paging_init();
    everywhere("paging");
}
