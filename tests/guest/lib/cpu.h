/* Control registers, MSRs and other instructions C cannot name. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdint.h>

enum {
    FLAG_CF = 0x1,
    FLAG_PF = 0x4,
    FLAG_AF = 0x10,
    FLAG_ZF = 0x40,
    FLAG_SF = 0x80,
    FLAG_TF = 0x100,
    FLAG_IF = 0x200,
    FLAG_DF = 0x400,
    FLAG_OF = 0x800,
    FLAG_IOPL3 = 0x3000,
    FLAG_NT = 0x4000,
    FLAG_RF = 0x10000,
    FLAG_VM = 0x20000,
    FLAG_AC = 0x40000,
    FLAG_ID = 0x200000,
    FLAGS_STATUS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};

#define CR0_PE 0x1u
#define CR0_MP 0x2u
#define CR0_EM 0x4u
#define CR0_TS 0x8u
#define CR0_ET 0x10u
#define CR0_NE 0x20u
#define CR0_WP 0x10000u
#define CR0_AM 0x40000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

enum {
    CR4_VME = 0x1,
    CR4_PVI = 0x2,
    CR4_TSD = 0x4,
    CR4_DE = 0x8,
    CR4_PSE = 0x10,
    CR4_PAE = 0x20,
    CR4_PGE = 0x80,
    CR4_PCE = 0x100,
    CR4_OSFXSR = 0x200,
    CR4_OSXMMEXCPT = 0x400,
};

#define DEFINE_REGISTER(name)                                                                      \
    static inline uint32_t read_##name(void) {                                                     \
        uint32_t v;                                                                                \
        __asm__ volatile("movl %%" #name ", %0" : "=r"(v) : : "memory");                           \
        return v;                                                                                  \
    }                                                                                              \
    static inline void write_##name(uint32_t v) {                                                  \
        __asm__ volatile("movl %0, %%" #name : : "r"(v) : "memory");                               \
    }

DEFINE_REGISTER(cr0)
DEFINE_REGISTER(cr2)
DEFINE_REGISTER(cr3)
DEFINE_REGISTER(cr4)
DEFINE_REGISTER(dr0)
DEFINE_REGISTER(dr1)
DEFINE_REGISTER(dr2)
DEFINE_REGISTER(dr3)
DEFINE_REGISTER(dr6)
DEFINE_REGISTER(dr7)

static inline uint32_t read_eflags(void) {
    uint32_t v;
    __asm__ volatile("pushfl; popl %0" : "=r"(v) : : "memory");
    return v;
}

static inline void write_eflags(uint32_t v) {
    __asm__ volatile("pushl %0; popfl" : : "r"(v) : "memory", "cc");
}

static inline uint64_t rdmsr(uint32_t msr) {
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v) {
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t rdtsc(void) {
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf) {
    struct cpuid c;
    __asm__ volatile("cpuid"
                     : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
                     : "a"(leaf), "c"(0));
    return c;
}

static inline void invlpg(uint32_t gla) {
    __asm__ volatile("invlpg (%0)" : : "r"(gla) : "memory");
}

static inline void sti(void) {
    __asm__ volatile("sti" : : : "memory");
}
static inline void cli(void) {
    __asm__ volatile("cli" : : : "memory");
}

/* STI's shadow covers the HLT, so no interrupt can slip in between (SDM vol 2B, STI). */
static inline void sti_hlt_cli(void) {
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

#endif
