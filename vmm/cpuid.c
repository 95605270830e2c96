/*
 * CPUID: the CPU the guest sees, one row a leaf (AMD APM vol. 3 appendix E, SDM vol. 2A CPUID).
 *
 * It says what works here and nothing else. Features that guest code uses without the VMM's help
 * are offered when the host has them too.
 *
 * Why an AMD family 0Fh, model 2Fh (single-core K8, revision E):
 *   - AMD means not affected by Meltdown, L1TF and MDS, so guests do not switch page tables at
 *     every system call. None of these can be exploited through a translator that maps only the
 *     guest's own memory.
 *   - The family predates speculative store bypass control, NB I/O configuration access and
 *     microcode updates in today's kernels; models below 40h have no C1E erratum; SSE3 is theirs.
 *     No MSR is needed beyond those in vmm/msr.c.
 *   - AMD never shipped stepping 4, so tables of errata by exact signature find nothing.
 * AutoIBRS (80000021h) is said to be there because the other defence, retpolines, rewrites return
 * addresses: under translation that costs much and protects nothing (a translated RET is an
 * indirect jump itself). Spectre attacks within one guest are the host's to mitigate.
 * TSC_ADJUST (leaf 7) with an invariant TSC lets Linux trust the TSC without a second clock.
 */
#include "vmm/cpuid.h"

#include "vmm/callout_priv.h"

/* leaf 1 and 80000001h, EDX */
#define F_FPU    (1u << 0)
#define F_DE     (1u << 2)
#define F_PSE    (1u << 3)
#define F_TSC    (1u << 4)
#define F_MSR    (1u << 5)
#define F_PAE    (1u << 6)
#define F_CX8    (1u << 8)
#define F_SEP    (1u << 11) /* leaf 1 only; 80000001h has SYSCALL there */
#define F_PGE    (1u << 13)
#define F_CMOV   (1u << 15)
#define F_PAT    (1u << 16)
#define F_CLFSH  (1u << 19) /* leaf 1 only; 80000001h has MP there */
#define F_NX     (1u << 20) /* 80000001h only */
#define F_MMXEXT (1u << 22) /* 80000001h only: the integer part of SSE */
#define F_MMX    (1u << 23)
#define F_FXSR   (1u << 24)
#define F_SSE    (1u << 25) /* leaf 1 only */
#define F_SSE2   (1u << 26) /* leaf 1 only */
/* leaf 1, ECX */
#define F_SSE3   (1u << 0)
#define F_PCLMUL (1u << 1)
#define F_SSSE3  (1u << 9)
#define F_SSE41  (1u << 19)
#define F_SSE42  (1u << 20)
#define F_MOVBE  (1u << 22)
#define F_POPCNT (1u << 23)
#define F_AES    (1u << 25)
/* leaf 7, EBX */
#define F_TSC_ADJUST (1u << 1)
/* 80000001h, ECX */
#define F_MISALIGNSSE (1u << 7)
#define F_PREFETCHW   (1u << 8)
/* 80000007h, EDX */
#define F_INVARIANT_TSC (1u << 8)
/* 80000008h, EBX: FXSAVE and FXRSTOR always handle FOP, FIP and FDP. Without it Linux clears them
 * by hand at every switch to another task's x87 state. */
#define F_FX_POINTERS (1u << 2)
/* 80000021h, EAX */
#define F_LFENCE_SERIALIZING (1u << 2)
#define F_AUTO_IBRS          (1u << 8)

/* done by the VMM, whatever the host has */
#define OWN_BOTH (F_DE | F_PSE | F_TSC | F_MSR | F_PAE | F_PGE | F_PAT)
#define OWN_EDX  (OWN_BOTH | F_SEP)
/* run by the host's CPU */
#define HOST_BOTH (F_FPU | F_CX8 | F_CMOV | F_MMX | F_FXSR)
#define HOST_EDX  (HOST_BOTH | F_CLFSH | F_SSE | F_SSE2)
#define HOST_ECX  (F_SSE3 | F_PCLMUL | F_SSSE3 | F_SSE41 | F_SSE42 | F_MOVBE | F_POPCNT | F_AES)

#define CLFLUSH_LINE (64u / 8 << 8) /* leaf 1 EBX: line size in 8 bytes */
#define CHARS(a, b, c, d)                                                                          \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define AUTH CHARS('A', 'u', 't', 'h')
#define ENTI CHARS('e', 'n', 't', 'i')
#define CAMD CHARS('c', 'A', 'M', 'D')

enum { BASIC_MAX = 7 };
#define EXTENDED_MAX 0x80000021u

struct cpuid_row {
    uint32_t leaf;
    struct cpuid_regs own;
    uint32_t host_ecx, host_edx; /* bits of the host's leaf 1 to add */
    uint32_t host_ext1_ecx;      /* bits of its leaf 80000001h */
    uint32_t host_ext8_ebx;      /* bits of its leaf 80000008h */
};

static const struct cpuid_row rows[] = {
    {.leaf = 0x00000000, .own = {BASIC_MAX, AUTH, CAMD, ENTI}},
    {.leaf = 0x00000001,
     .own = {CPUID_SIGNATURE, CLFLUSH_LINE, 0, OWN_EDX},
     .host_ecx = HOST_ECX,
     .host_edx = HOST_EDX},
    {.leaf = 0x00000007, .own = {0, F_TSC_ADJUST, 0, 0}},
    {.leaf = 0x80000000, .own = {EXTENDED_MAX, AUTH, CAMD, ENTI}},
    {.leaf = 0x80000001,
     .own = {CPUID_SIGNATURE, 0, F_PREFETCHW, OWN_BOTH | F_NX | F_MMXEXT},
     .host_edx = HOST_BOTH,
     .host_ext1_ecx = F_MISALIGNSSE},
    {.leaf = 0x80000002,
     .own = {CHARS('r', 'i', 'n', 'g'), CHARS('o', 'n', 'e', ' '), CHARS('v', 'i', 'r', 't'),
             CHARS('u', 'a', 'l', ' ')}},
    {.leaf = 0x80000003, .own = {CHARS('C', 'P', 'U', 0), 0, 0, 0}},
    /* L1: full-associative TLBs of 32 entries, 64 KiB 2-way data and code caches of 64-byte lines
     */
    {.leaf = 0x80000005, .own = {0xff08ff08, 0xff20ff20, 0x40020140, 0x40020140}},
    /* L2: 4-way TLBs of 512 entries, 1 MiB 16-way cache */
    {.leaf = 0x80000006, .own = {0, 0x42004200, 0x04008140, 0}},
    {.leaf = 0x80000007, .own = {0, 0, 0, F_INVARIANT_TSC}},
    {.leaf = 0x80000008,
     .own = {32u << 8 | CPUID_PHYS_BITS, 0, 0, 0},
     .host_ext8_ebx = F_FX_POINTERS},
    {.leaf = 0x80000021, .own = {F_LFENCE_SERIALIZING | F_AUTO_IBRS, 0, 0, 0}},
};

static struct cpuid_regs host_cpuid(uint32_t leaf) {
    struct cpuid_regs r = {.eax = leaf, .ecx = 0};

    __asm__ volatile("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
    return r;
}

/* FXSAVE of other makers' CPUs has always stored the pointers; their CPUID does not say so. */
static uint32_t host_fx_pointers(void) {
    if (host_cpuid(0).ecx != CAMD)
        return F_FX_POINTERS;
    return host_cpuid(0x80000000u).eax >= 0x80000008u ? host_cpuid(0x80000008u).ebx : 0;
}

/* The host's CPUID may trap to its own hypervisor (tens of microseconds), so it runs once. */
static void read_host_features(struct vcpu *v) {
    if (v->host_features.valid)
        return;

    struct cpuid_regs one = host_cpuid(1);

    v->host_features.ecx = one.ecx;
    v->host_features.edx = one.edx;
    v->host_features.ext8_ebx = host_fx_pointers();
    if (host_cpuid(0x80000000u).eax >= 0x80000001u)
        v->host_features.ext1_ecx = host_cpuid(0x80000001u).ecx;
    v->host_features.valid = true;
}

struct cpuid_regs cpuid_guest(struct vcpu *v, uint32_t leaf) {
    struct cpuid_regs regs = {0, 0, 0, 0};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cpuid_row *row = &rows[i];

        if (row->leaf != leaf)
            continue;
        read_host_features(v);
        regs = row->own;
        regs.ebx |= row->host_ext8_ebx & v->host_features.ext8_ebx;
        regs.ecx |= row->host_ecx & v->host_features.ecx;
        regs.ecx |= row->host_ext1_ecx & v->host_features.ext1_ecx;
        regs.edx |= row->host_edx & v->host_features.edx;
        break;
    }
    return regs;
}

enum callout_result callout_cpuid(struct vcpu *v, uint64_t arg) {
    uint32_t leaf = v->gpr[EAX];
    /* Only subleaf 0 of leaf 7 holds anything. */
    struct cpuid_regs regs = {0, 0, 0, 0};

    (void)arg;
    if (leaf != 7 || v->gpr[ECX] == 0)
        regs = cpuid_guest(v, leaf);
    v->gpr[EAX] = regs.eax;
    v->gpr[EBX] = regs.ebx;
    v->gpr[ECX] = regs.ecx;
    v->gpr[EDX] = regs.edx;
    return CALLOUT_NEXT;
}
