/*
 * Symbol tables from files: ELF .symtab (System V ABI, chapter 4 "Symbol Table"), and the text that
 * nm prints, such as Linux's System.map. The files are untrusted. At start-up only.
 */
#ifndef HOST_PROCESS_SYMFILE_H
#define HOST_PROCESS_SYMFILE_H

#include <stdbool.h>

#include "host/process/symtab.h"
#include "vmm/load.h"

/* Whether the file is an ELF file at all. */
bool symfile_is_elf(const struct load_blob *file);

/* Makes *t of the file's symbols. False: the file is neither ELF nor a symbol list, is damaged, or
 * the host has no memory; *t is empty then. A good file without symbols gives an empty table. */
bool symfile_read_elf(const struct load_blob *file, struct symtab *t);
bool symfile_read_map(const struct load_blob *file, struct symtab *t);

#endif
