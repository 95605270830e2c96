/*
 * What both runners of the differential instruction test share: where a case lives, what a case
 * looks like, and what its outcome looks like. Compiled as 32-bit code into the native runner
 * (native.c) and into the guest kernel (kernel.c), so that both see the same bytes.
 *
 *   0x0000f000  low page, read-write   reachable with 16-bit addressing (only with OPT_LOW)
 *   0x10000000  code, 512 KiB, read-write; the page behind it is not mapped
 *   0x20000000  arena, 2 pages, read-write; the page before it is not mapped
 *   0x20002000  read-only page; the page behind it is not mapped
 *   0x30000000  stack, 1 page, read-write; not mapped on either side
 *
 * A case ends with the first exception: its terminator is HLT, which is #GP(0) in user mode.
 */
#ifndef TESTS_INSN_WORLD_H
#define TESTS_INSN_WORLD_H

#include <stdint.h>

#define LOW_BASE     0x0000f000u
#define LOW_SIZE     0x1000u
#define CODE_BASE    0x10000000u
#define CODE_SIZE    0x80000u
#define ARENA_BASE   0x20000000u
#define ARENA_SIZE   0x2000u
#define RO_BASE      0x20002000u
#define RO_SIZE      0x1000u
#define STACK_BASE   0x30000000u
#define STACK_SIZE   0x1000u
#define CODE_FILL    0xf4u /* HLT */
#define USER_CS      0x23u /* what 64-bit Linux gives a 32-bit process; kernel.c does the same */
#define USER_DS      0x2bu
#define VEC_TIMEOUT  0xffu
#define VEC_LEFT_OUT 0xfeu /* native64.c: has not run the case */

#define CASE_MAGIC  0x6e736e69u
#define OPT_LOW     1u  /* the low page exists */
#define OPT_VERBOSE 2u  /* kernel: name every case before it runs */
#define OPT_DUMP    4u  /* kernel: dump every case, not only those with an unexpected hash */
#define OPT_NO_X87  8u  /* x87, MMX and MXCSR are not compared */
#define OPT_SAY     16u /* kernel: say every case's hash, and call none unexpected */
#define GDT_ENTRIES 16u /* of the native CPU's; behind them is nothing */
#define LDT_ENTRIES 10u /* the same in every case */
#define LDT_OWN     2u  /* behind them: entries of the case's own */

/* A segment descriptor: base, limit (unexpanded), access byte (0: none), G | D << 1. */
enum { DESC_BASE, DESC_LIMIT, DESC_ACCESS, DESC_FLAGS, DESC_WORDS };

/* The case file: this header, then uint32_t expect[cases], then the cases one after the other. */
struct case_file {
    uint32_t magic;
    uint32_t cases;
    uint32_t options;
    uint32_t eflags_mask;         /* EFLAGS bits that are compared */
    uint32_t error_mask;          /* error code bits that are compared */
    uint32_t timer;               /* kernel: what its timer counts down from, at 1193182 Hz */
    uint32_t gdt[GDT_ENTRIES][2]; /* what LAR and LSL say natively; 0: nothing */
    uint32_t ldt[LDT_ENTRIES][DESC_WORDS];
};

/* One case; the bytes of its code follow, padded to a multiple of 4, after its patches. */
struct test_case {
    uint32_t code_address;
    uint16_t code_bytes;
    uint16_t patches; /* number of struct patch that follow this struct */
    uint32_t seed;    /* contents of memory, x87 and SSE registers */
    uint32_t gpr[8];  /* EAX ECX EDX EBX ESP EBP ESI EDI */
    uint32_t eflags;
    uint16_t fcw, fsw, ftw; /* ftw in FXSAVE's abridged form */
    uint16_t seg[4];        /* DS ES FS GS */
    uint16_t reserved;
    uint32_t mxcsr;
    uint32_t ldt[LDT_OWN][DESC_WORDS];
};

struct patch {
    uint32_t address, value; /* a doubleword stored before the case starts */
};

#define OUTCOME_FX 288u /* of FXSAVE's 512 bytes: x87, MXCSR, XMM0-7 */

/* How a case ended. Canonical: what is undefined or differs between the two worlds is zero. */
struct outcome {
    uint32_t vector, error, cr2, eip, eflags;
    uint32_t gpr[8];
    uint32_t seg[6]; /* ES CS SS DS FS GS */
    uint32_t memory; /* hash of low page, arena and stack */
    uint8_t fx[OUTCOME_FX];
};

/* Where the runner itself finds the regions (the kernel uses another mapping than the case). */
struct world {
    uint8_t *code, *low, *arena, *ro, *stack;
    uint32_t options, eflags_mask, error_mask;
};

/* Fills the code region and the read-only page; call once. */
void world_init(const struct world *w);
/* Brings memory into the state that the case starts with and makes its 512-byte FXRSTOR image. */
void world_prepare(const struct world *w, const struct test_case *c, uint8_t *fx);
/* Copies the case's code to where it runs; writes only what is not there already. */
void world_load_code(const struct world *w, const struct test_case *c);
/* Does so for this and the following cases up to the first at a lower address; returns the case
 * behind the last. Code is mostly new to the CPU that way, but its page is not rewritten each time.
 */
const struct test_case *world_load_codes(const struct world *w, const struct test_case *c,
                                         uint32_t cases);
/* Completes an outcome whose registers are set: masks, copies the FXSAVE image, hashes memory. */
void world_finish(const struct world *w, const uint8_t *fx, struct outcome *o);
/* The hash that stands for an outcome. */
uint32_t world_hash(const struct outcome *o);
/* Writes (address, value) of up to max doublewords that the case changed; returns how many. */
uint32_t world_changes(const struct world *w, const struct test_case *c, struct patch *to,
                       uint32_t max);
/* The case behind this one in the file. */
const struct test_case *world_next(const struct test_case *c);

#endif
