/* FPU and SSE state: FXSAVE/FXRSTOR, FNSAVE/FRSTOR, FNSTENV round trips, and a context switch done
 * lazily through CR0.TS and #NM, as old kernels do (SDM vol 1, 10.5; vol 3A, 13.4). */
#include "guest.h"

/* Snippets of ring 3. ESI: memory. */
CODE(load_a,
     "fninit; fld1; fldpi; fldl2e; movl $0x11112222, %eax; movd %eax, %xmm0; movd %eax, %xmm7");
CODE(use_a, "fstpl (%esi); fstpl 8(%esi); fstpl 16(%esi); movd %xmm0, 24(%esi); fnstsw %ax; movzwl "
            "%ax, %eax; andl $0x38c1, %eax");
CODE(increment, "movd %xmm0, %eax; incl %eax; movd %eax, %xmm0; fld1; faddp");
CODE(environment, "fninit; pushl $0x0c7f; fldcw (%esp); popl %eax; fld1; fldz; fnstenv (%esi); "
                  "fninit; fldenv (%esi);"
                  "fnstcw 32(%esi); fnstsw 36(%esi)");
CODE(save_restore, "fninit; fldpi; fld1; fnsave (%esi); fnstsw 112(%esi); frstor (%esi); fstpl "
                   "116(%esi); fstpl 124(%esi)");
CODE(mmx_state, "fninit; movl $0x01020304, %eax; movd %eax, %mm3; paddb %mm3, %mm3; fnstenv "
                "(%esi); movd %mm3, %ecx;"
                "emms; fnstenv 32(%esi)");

enum { A = ARENA, B = ARENA + 512, MEMORY = ARENA + 4096 };

static uint32_t switches, owner, current;

/* #NM: save the owner's registers, load the current task's. */
static void on_nm(struct trap_frame *frame) {
    (void)frame;
    __asm__ volatile("clts");
    if (owner != current) {
        __asm__ volatile("fxsave (%0)" : : "r"(owner ? B : A) : "memory");
        __asm__ volatile("fxrstor (%0)" : : "r"(current ? B : A) : "memory");
        owner = current;
    }
    switches++;
}

static void task(uint32_t which) {
    current = which;
    write_cr0(read_cr0() | CR0_TS);
}

static void words(const char *name, uint32_t at, uint32_t n) {
    printf("%s:", name);
    for (uint32_t i = 0; i < n; i++)
        printf(" %08x", ((volatile uint32_t *)at)[i]);
    printf("\n");
}

/* A register in an FXSAVE area: 80 bits; what a processor does with the six bytes behind is its own
 * affair (SDM vol 1, 10.5.1). */
static void st(const char *name, uint32_t at) {
    *(volatile uint32_t *)(at + 8) &= 0xFFFF;
    words(name, at, 3);
}

static void go(const uint8_t *code) {
    struct regs in = regs_ring3(code);
    in.esi = MEMORY;
    run(&in);
    in.eax = trap.regs.eax;
    if (trap.vector != VECTOR_END)
        report("unexpected", &in);
}

void guest_main(void) {
    write_cr0(CR0_PE | CR0_ET | CR0_NE | CR0_MP);
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);

    go(load_a);
    __asm__ volatile("fxsave (%0)" : : "r"(A) : "memory");
    words("FXSAVE control", A, 2);
    st("ST0", A + 32);
    st("ST1", A + 48);
    st("ST2", A + 64);
    words("XMM0", A + 160, 4);
    printf("MXCSR %08x, mask bits 0..15 %04x\n", *(volatile uint32_t *)(A + 24),
           *(volatile uint32_t *)(A + 28) & 0xFFBF);
    __asm__ volatile("fninit; xorps %%xmm0, %%xmm0; fxrstor (%0)" : : "r"(A) : "memory");
    go(use_a);
    words("restored", MEMORY, 7);
    printf("status %04x\n", trap.regs.eax);

    go(environment);
    printf("FNSTENV words: %04x %04x %04x\n", *(volatile uint16_t *)MEMORY,
           *(volatile uint16_t *)(MEMORY + 4), *(volatile uint16_t *)(MEMORY + 8));
    printf("after FLDENV cw %04x sw %04x\n", *(volatile uint16_t *)(MEMORY + 32),
           *(volatile uint16_t *)(MEMORY + 36));
    go(save_restore);
    printf("FNSAVE status then %04x\n", *(volatile uint16_t *)(MEMORY + 112));
    words("FRSTOR", MEMORY + 116, 4);
    go(mmx_state);
    printf("MMX %08x tag %04x, after EMMS %04x\n", trap.regs.ecx,
           *(volatile uint16_t *)(MEMORY + 8), *(volatile uint16_t *)(MEMORY + 40));

    /* Two tasks, each counting in XMM0 and ST0, switched lazily. */
    trap_handlers[7] = on_nm;
    for (uint32_t t = 0; t < 2; t++) {
        uint32_t start = t ? 1000 : 0;
        __asm__ volatile("fninit; pushl %0; fildl (%%esp); popl %%ecx; movd %0, %%xmm0; fxsave (%1)"
                         :
                         : "r"(start), "r"(t ? B : A)
                         : "memory", "ecx");
    }
    owner = 1;
    for (uint32_t i = 0; i < 30; i++) {
        task(i % 3 == 0 ? 0 : 1);
        go(increment);
    }
    for (uint32_t t = 0; t < 2; t++) {
        uint32_t sse, x87;
        task(t);
        __asm__ volatile("movd %%xmm0, %0; subl $4, %%esp; fistl (%%esp); popl %1"
                         : "=r"(sse), "=r"(x87));
        printf("task %u: xmm0 %u st0 %u\n", t, sse, x87);
    }
    printf("#NM taken %u\n", switches);

    /* No use, no switch. */
    switches = 0;
    task(0);
    static const uint8_t idle[] = {0x40, 0xCD, VECTOR_END};
    go(idle);
    printf("#NM without FPU use %u\n", switches);
    write_cr0(CR0_PE | CR0_ET);
}
