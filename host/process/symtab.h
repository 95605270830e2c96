/*
 * A table of symbols, looked up by address. Filled at start-up from files (symfile.h) or while the
 * guest runs from its memory (kallsyms.h); its memory is all got at start-up. Code: rt_symtab.c.
 *
 *   symbols  [address, name, rank]  ascending by address once symtab_seal has been called
 *                     |
 *   strings  ...\0start_kernel\0...
 */
#ifndef HOST_PROCESS_SYMTAB_H
#define HOST_PROCESS_SYMTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which of several names for one address is shown: the smallest. */
enum symbol_rank { SYMBOL_FUNCTION, SYMBOL_LOCAL_FUNCTION, SYMBOL_OTHER };

struct symbol {
    uint64_t address;
    uint32_t name; /* offset in strings */
    uint8_t rank;
};

struct symtab {
    struct symbol *symbols;
    uint32_t count, capacity;
    char *strings;
    uint32_t strings_used, strings_size;
};

/* A name reaches at most this far when no other symbol follows sooner. */
enum { SYMBOL_REACH = 64 << 10 };

/* Gets memory for that many symbols with names of so many bytes in all, NULs included. False: the
 * host has none. */
bool symtab_create(struct symtab *t, uint32_t capacity, uint32_t strings_size);
void symtab_clear(struct symtab *t);

/* Adds a symbol; the name is n bytes without NUL. Control and non-ASCII characters become '?',
 * since names end up on terminals. False: the table is full. */
bool symtab_add(struct symtab *t, uint64_t address, const char *name, size_t n,
                enum symbol_rank rank);

/* Sorts. To be called before the table is looked into. */
void symtab_seal(struct symtab *t);

/* The symbol at or before the address, less than SYMBOL_REACH away; NULL: none. Of several at one
 * address the one with the smallest rank, then the one that was added first. */
const struct symbol *symtab_find(const struct symtab *t, uint64_t address);

/* The address of a name. False: there is no such symbol. */
bool symtab_address(const struct symtab *t, const char *name, uint64_t *address);

static inline const char *symtab_name(const struct symtab *t, const struct symbol *s) {
    return t->strings + s->name;
}

#endif
