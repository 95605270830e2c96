/*
 * Names for guest addresses, and for our own code. Where guest names come from, best first:
 *   -symbols FILE      an ELF file, with lines if it has DWARF, or a list as nm prints it
 *   -kernel FILE       if it is an ELF file with a symbol table
 *   the running guest  a Linux kernel's own table (kallsyms.h), looked for in guest memory when a
 *                      name is first wanted
 * A Linux kernel may run elsewhere than it was linked for (KASLR). Its own table knows; names from
 * -symbols are moved along with it.
 *
 * symbols.c reads files at start-up; rt_symbols.c looks names up and may be used at any time then:
 * it calls no libc, changes nothing of the guest, and works in signal handlers.
 */
#ifndef HOST_PROCESS_SYMBOLS_H
#define HOST_PROCESS_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "host/process/kallsyms.h"
#include "host/process/lines.h"
#include "host/process/options.h"
#include "host/process/symtab.h"
#include "host/process/text.h"
#include "vmm/load.h"

struct vm;

struct symbol_place {
    const char *name;
    uint32_t offset;  /* from the symbol's address */
    const char *file; /* NULL: not known */
    uint32_t line;
};

/* Reads what the options name, and the VMM's own symbols from an ELF file that runs where it was
 * linked, or, with NULL, from this program. False: message says which file and why not. */
bool symbols_open(const struct options *o, const struct load_blob *kernel, const char *vmm,
                  char message[OPTIONS_MESSAGE]);
/* The guest whose addresses are asked for. */
void symbols_watch(const struct vm *vm);
/* The guest has been reset: its own table is not valid any more. */
void symbols_forget(void);

/* What is at a linear address of the guest. False: not known. */
bool symbols_find(uint32_t gla, struct symbol_place *out);
/* Looks for the guest's own table if no other names are there and it has not been found yet: now
 * and then, and takes some 50 ms. */
void symbols_learn(void);
/* The linear address where the function at gla starts, as far as it is known by now. Async-signal-
 * safe, also while the tables change. */
bool symbols_start(uint32_t gla, uint32_t *start);
/* Appends " <name+0x12>", or " <name+0x12 file.c:34>", or nothing. */
void symbols_add_place(struct text *t, uint32_t gla);
/* The same for a return address, which belongs to the call before it: a call that never returns may
 * be the last of its function. */
void symbols_add_return(struct text *t, uint32_t gla);

/* The same for an address of ours: functions, the translator's thunks and callouts. */
void symbols_add_host_place(struct text *t, uint64_t address);
/* The function of ours at an address, as the low half of the address it was linked for.
 * Async-signal-safe. */
bool symbols_own_start(uint64_t address, uint32_t *linked);
/* Its name; NULL: not known. */
const char *symbols_own_name(uint32_t linked);

/* -- between symbols.c and rt_symbols.c ------------------------------------------------------- */

struct symbols {
    struct symtab file; /* as linked */
    struct lines lines; /* as linked */
    struct symtab live; /* as running; empty: not found */
    struct symtab own;
    uint64_t own_slide;   /* address here less address in own */
    uint32_t slide;       /* address in the guest less address in file and lines */
    uint64_t retry_ns;    /* do not look for the guest's table before then */
    uint64_t retry_after; /* how long to wait after the next failure */
    struct kallsyms_seal seal;
    uint64_t memory; /* gpa of the stretch of memory that seal refers to */
    uint64_t memory_size;
};

extern struct symbols symbols;

#endif
