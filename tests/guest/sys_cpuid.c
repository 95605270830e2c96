/* CPUID: leaves in range, feature bits that are promised really execute (or fault as the manual
 * says), and the ID flag (SDM vol 2A, CPUID). Prints no model-dependent value. */
#include "guest.h"

CODE(do_cpuid,
     "xorl %eax, %eax; cpuid; xorl %eax, %eax; xorl %ebx, %ebx; xorl %ecx, %ecx; xorl %edx, %edx");
CODE(use_cmov, "cmpl %eax, %eax; cmove %ecx, %eax");
CODE(use_tsc, "rdtsc; xorl %eax, %eax; xorl %edx, %edx");
CODE(use_cx8, "cmpxchg8b (%esi)");
CODE(use_mmx, "movd %eax, %mm0; paddd %mm0, %mm0; movd %mm0, %ecx; emms");
CODE(use_sse, "movd %eax, %xmm0; cvtsi2ss %eax, %xmm1; addss %xmm1, %xmm1");
CODE(use_sse2, "movd %eax, %xmm0; paddd %xmm0, %xmm0; movd %xmm0, %ecx");
CODE(use_sse3, "xorps %xmm0, %xmm0; haddps %xmm0, %xmm0");
CODE(use_ssse3, "movd %eax, %xmm0; pabsd %xmm0, %xmm0; movd %xmm0, %ecx");
CODE(use_sse41, "movd %eax, %xmm0; pmovzxbw %xmm0, %xmm0; movd %xmm0, %ecx");
CODE(use_sse42, "crc32l %eax, %ecx");
CODE(use_popcnt, "popcntl %eax, %ecx");
CODE(use_movbe, ".byte 0x0f, 0x38, 0xf1, 0x06"); /* MOVBE [ESI], EAX */
CODE(use_clflush, "clflush (%esi)");
CODE(use_fxsr, "fxsave (%esi)");
CODE(use_lahf, "lahf; sahf");
CODE(use_sep, "sysexit"); /* #GP in ring 3 when present */
CODE(use_pae, "movl $0x20, %eax; movl %eax, %cr4; xorl %eax, %eax; movl %eax, %cr4");
CODE(use_pse, "movl $0x10, %eax; movl %eax, %cr4; xorl %eax, %eax; movl %eax, %cr4");
CODE(use_pge, "movl $0x80, %eax; movl %eax, %cr4; xorl %eax, %eax; movl %eax, %cr4");
CODE(use_de, "movl $0x08, %eax; movl %eax, %cr4; xorl %eax, %eax; movl %eax, %cr4");
CODE(use_msr, "movl $0x10, %ecx; rdmsr");
CODE(use_avx, ".byte 0xc5, 0xfc, 0x57, 0xc0");
CODE(use_sysret, ".byte 0x0f, 0x07");
CODE(long_nop, ".byte 0x0f, 0x1f, 0x80, 0, 0, 0, 0; .byte 0x66, 0x0f, 0x1f, 0x44, 0, 0");
CODE(pause_insn, "pause");

static void promised(const char *name, bool yes, const uint8_t *code, int ring, uint32_t expected) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = ARENA;
    run(&in);
    uint32_t wanted = yes ? expected : 6;
    printf("%s: %s\n", name,
           trap.vector == wanted ? "as promised"
           : yes                 ? "promised but faults"
                                 : "works unpromised");
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
}

/* Features that some CPUs execute although CPUID is silent: only the promise is checked. */
static void if_promised(const char *name, bool yes, const uint8_t *code) {
    if (yes)
        promised(name, yes, code, 3, VECTOR_END);
    else
        printf("%s: as promised\n", name);
}

void guest_main(void) {
    write_eflags(FLAG_ID);
    printf("ID flag sets %d", read_eflags() & FLAG_ID ? 1 : 0);
    write_eflags(0);
    printf(" clears %d\n", read_eflags() & FLAG_ID ? 1 : 0);
    RING0(do_cpuid);
    RING3(do_cpuid);

    struct cpuid zero = cpuid(0), one = cpuid(1), extended = cpuid(0x80000000);
    printf("leaf 0: at least 1 %d, vendor %s\n", zero.eax >= 1,
           zero.ebx && zero.ecx && zero.edx ? "present" : "missing");
    printf("extended leaves: %d\n", extended.eax >= 0x80000001 && extended.eax < 0x80001000);
    printf("FPU %d TSC %d MSR %d CX8 %d CMOV %d\n", one.edx & 1, one.edx >> 4 & 1, one.edx >> 5 & 1,
           one.edx >> 8 & 1, one.edx >> 15 & 1);
    printf("no long mode: %d\n", !(cpuid(0x80000001).edx >> 29 & 1));
    printf("no VMX, SVM: %d\n", !(one.ecx >> 5 & 1) && !(cpuid(0x80000001).ecx >> 2 & 1));

    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
    uint32_t d = one.edx, c = one.ecx;
    promised("TSC", d >> 4 & 1, use_tsc, 3, VECTOR_END);
    promised("CX8", d >> 8 & 1, use_cx8, 3, VECTOR_END);
    promised("CMOV", d >> 15 & 1, use_cmov, 3, VECTOR_END);
    promised("MMX", d >> 23 & 1, use_mmx, 3, VECTOR_END);
    promised("FXSR", d >> 24 & 1, use_fxsr, 3, VECTOR_END);
    promised("SSE", d >> 25 & 1, use_sse, 3, VECTOR_END);
    promised("SSE2", d >> 26 & 1, use_sse2, 3, VECTOR_END);
    promised("CLFLUSH", d >> 19 & 1, use_clflush, 3, VECTOR_END);
    promised("SEP", d >> 11 & 1, use_sep, 3, 13);
    promised("MSR", d >> 5 & 1, use_msr, 0, VECTOR_END);
    promised("AVX (never enabled)", false, use_avx, 3, 6);
    if_promised("SSE3", c & 1, use_sse3);
    if_promised("SSSE3", c >> 9 & 1, use_ssse3);
    if_promised("SSE4.1", c >> 19 & 1, use_sse41);
    if_promised("SSE4.2", c >> 20 & 1, use_sse42);
    if_promised("POPCNT", c >> 23 & 1, use_popcnt);
    if_promised("MOVBE", c >> 22 & 1, use_movbe);
    if (d >> 6 & 1)
        promised("PAE", true, use_pae, 0, VECTOR_END);
    promised("PSE", d >> 3 & 1, use_pse, 0, d >> 3 & 1 ? VECTOR_END : 13);
    if (d >> 13 & 1)
        promised("PGE", true, use_pge, 0, VECTOR_END);
    if (d >> 2 & 1)
        promised("DE", true, use_de, 0, VECTOR_END);
    RING3(use_lahf);
    RING3(long_nop);
    RING3(pause_insn);
    RING3(use_sysret);
}
