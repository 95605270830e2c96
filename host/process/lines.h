/*
 * Source lines by address, from the DWARF line tables of an ELF file. lines.c reads them at
 * start-up with libdwarf, rt_lines.c looks them up.
 */
#ifndef HOST_PROCESS_LINES_H
#define HOST_PROCESS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From this address to the next entry's: a line of a file. Line 0: nothing known. */
struct line_entry {
    uint32_t address;
    uint32_t file; /* offset in names */
    uint32_t line;
};

struct lines {
    struct line_entry *entries; /* ascending */
    size_t count, capacity;
    char *names;
    size_t names_used, names_size;
};

/* Reads the file open at fd. A file without (readable) line tables gives an empty table. */
void lines_read(struct lines *l, int fd);
void lines_free(struct lines *l);

/* The file's name and the line number at the address. NULL: not known. */
const char *lines_find(const struct lines *l, uint32_t address, uint32_t *line);

#endif
