/*
 * Symbol tables that the launcher of the ring-0 host read from files and gives its VMM as a boot
 * module. Both are built from one tree for one processor, so the tables' elements are struct symbol
 * (host/process/symtab.h) and struct line_entry (host/process/lines.h) as they stand in memory.
 */
#ifndef HOST_SYMBOL_MODULE_H
#define HOST_SYMBOL_MODULE_H

#include <stdint.h>

#define SYMBOL_MODULE_MAGIC "ringone symbols" /* 16 bytes with the NUL */

enum symbol_part {
    PART_FILE_SYMBOLS, /* of -symbols or -kernel: struct symbol, ascending */
    PART_FILE_STRINGS,
    PART_OWN_SYMBOLS, /* of ringone.elf */
    PART_OWN_STRINGS,
    PART_LINES, /* struct line_entry, ascending */
    PART_LINE_NAMES,
    SYMBOL_PARTS
};

struct symbol_module {
    char magic[16];
    struct {
        uint64_t offset; /* in the module, a multiple of 8 */
        uint64_t bytes;
    } part[SYMBOL_PARTS];
};

#endif
