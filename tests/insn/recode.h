/*
 * 64-bit code that does what 32-bit code does, as far as there is such code: for native64.c, on
 * machines that run no 32-bit programs.
 *
 * What both modes have is copied, with 32-bit addresses (67h); INC and DEC of a register get their
 * other encoding; what pushes, pops, calls or returns becomes a few instructions, in which the one
 * that may fault comes before any register changes. RSP is ESP with zeros above; R8 to R10 are
 * scratch. A jump goes to its target's code where there is one already, and else to the 32-bit code
 * itself, which is not executable: the fault tells that code is wanted for that place.
 */
#ifndef TESTS_INSN_RECODE_H
#define TESTS_INSN_RECODE_H

#include <stdint.h>

#define RECODE_ROOM (256u << 10)

/* What recode_at() needs to know, and what it has made so far. */
struct recode {
    const uint8_t *code; /* 32-bit code: CODE_SIZE bytes that stand at CODE_BASE */
    uint8_t *out;        /* room for RECODE_ROOM bytes of 64-bit code */
    uint8_t *scratch;    /* top of a small stack of 64-bit words, for PUSHF and POPF */
    int flat_fs, flat_gs;
    int stepping; /* TF is set: keep it out of what PUSHF pushes, and in what POPF pops */
    uint32_t used, entries;
};

/* Forgets all code, for another case. */
void recode_reset(struct recode *r);
/* Where the code for the instruction at eip is; makes it, and some of what follows, if there is
 * none. NULL: there is no room for it. */
uint8_t *recode_at(struct recode *r, uint32_t eip);
/* The instruction that an address in the code belongs to. */
struct recoded {
    uint32_t eip, length;
    int starts;   /* its code begins there */
    int left_out; /* it has no code: UD2 stands there */
};
struct recoded recode_find(const struct recode *r, const uint8_t *at);

#endif
