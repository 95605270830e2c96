/*
 * The symbol table that a Linux kernel carries in its own .rodata (CONFIG_KALLSYMS), read out of
 * guest memory. It is there once the kernel has unpacked itself, already adjusted to where the
 * kernel has put itself (KASLR).
 *
 * The tables, one behind the other, each 4-byte aligned, as i386 kernels have them (N symbols; what
 * scripts/kallsyms.c of Linux 2.6.10 and later writes):
 *
 *   offsets       u32[N]           addresses less relative_base; ascending from 0   (a)
 *   relative_base u32              adjusted by the kernel's start-up                (a)
 *   num_syms      u32              N
 *   names         N times: length (one byte, or two: low 7 bits | 80h, high bits), that many token
 *                 numbers. The first character they spell is the symbol's type as nm has it.
 *   markers       u32[(N+255)/256] offset in names of every 256th symbol
 *   seqs_of_names u8[3][N]         order by name; not used here                     (b)
 *   token_table   256 strings, each ended by NUL. A character that occurs in names has itself as
 *                 token of its number.
 *   token_index   u16[256]         offset in token_table of each string
 *
 * (a) Here until Linux 6.3; behind token_index since. Before 4.6, u32[N] of addresses stands in
 *     place of both.
 * (b) Since 6.2 and some 6.1; u32[N] in its first versions; at the very end since 6.4.
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
 * the first that is whole, consistent, and has a symbol at exactly the address `known`. The table
 * is sealed then. False: there is none, or it is larger than *t; *t is empty. */
bool kallsyms_extract(const uint8_t *memory, size_t size, uint32_t known, struct symtab *t,
                      struct kallsyms_seal *seal);

/* Whether the tables are still there, as far as the seal tells. */
bool kallsyms_intact(const uint8_t *memory, size_t size, const struct kallsyms_seal *seal);

#endif
