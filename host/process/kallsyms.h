/*
 * The symbol table that a Linux kernel carries in its own .rodata (CONFIG_KALLSYMS), read out of
 * guest memory. It is there once the kernel has unpacked itself, already adjusted to where the
 * kernel has put itself (KASLR).
 *
 * The tables, one behind the other, each 4-byte aligned, as i386 kernels have them (N symbols; what
 * scripts/kallsyms.c of Linux 2.6.10 to 6.1, and of 6.4 and later, writes):
 *
 *   offsets      u32[N]           addresses less relative_base; ascending   (*)
 *   relative_base u32             relocated by the kernel's start-up        (*)
 *   num_syms     u32              N
 *   names        N times: length (one byte, or two: low 7 bits | 80h, high 7 bits), that many token
 *                numbers. The first character they spell is the symbol's type as nm has it.
 *   markers      u32[(N+255)/256] offset in names of every 256th symbol
 *   token_table  256 strings, each ended by NUL; the token for a character that occurs in names and
 *                is no longer sequence is that character
 *   token_index  u16[256]         offset in token_table of each string
 *   Linux 6.4 has the two tables marked (*) here. Linux before 4.6 has u32[N] of addresses in place
 *   of both.
 *
 * What the guest holds is not trusted: nothing is read outside the memory given, and the work is
 * bounded whatever stands there. Code: rt_kallsyms.c.
 */
#ifndef HOST_PROCESS_KALLSYMS_H
#define HOST_PROCESS_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/process/symtab.h"

/* Where the table was found, to see later whether it is still the same. */
struct kallsyms_seal {
    size_t at[2];      /* offsets in memory of two words of it ... */
    uint32_t value[2]; /* ... and what they held */
};

/* Looks for the tables in memory[0, size), size at most 1 GiB, and replaces the contents of *t by
 * the first that is whole and consistent. The table is sealed then. False: there is none, or it is
 * larger than *t; *t is empty. */
bool kallsyms_extract(const uint8_t *memory, size_t size, struct symtab *t,
                      struct kallsyms_seal *seal);

/* Whether the tables are still there, as far as the seal tells. */
bool kallsyms_intact(const uint8_t *memory, size_t size, const struct kallsyms_seal *seal);

#endif
