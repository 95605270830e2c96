/*
 * Reading DWARF line tables (lines.h; DWARF 5 section 6.2). One compilation unit after the other;
 * a unit that libdwarf cannot read is left out. Linkers put the code that they have thrown away at
 * address 0: such sequences are left out too.
 */
#include "host/process/lines.h"

#include <libdwarf/libdwarf.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 64 << 20, NAMES_BYTES_MAX = 256 << 20, FILES_MAX = 1 << 16 };

/* Makes room for one more of `bytes` each, doubling. False: no memory, or the limit is reached. */
static bool grow(void **array, size_t *capacity, size_t need, size_t bytes, size_t limit) {
    if (need <= *capacity)
        return true;
    size_t more = *capacity == 0 ? 4096 : *capacity * 2;
    while (more < need)
        more *= 2;
    void *moved = more > limit ? NULL : realloc(*array, more * bytes);
    if (moved == NULL)
        return false;
    *array = moved;
    *capacity = more;
    return true;
}

static bool add_entry(struct lines *l, Dwarf_Addr address, uint32_t file, uint32_t line) {
    void *array = l->entries;
    bool room = grow(&array, &l->capacity, l->count + 1, sizeof *l->entries, ENTRIES_MAX);
    l->entries = array;
    if (room)
        l->entries[l->count++] = (struct line_entry){(uint32_t)address, file, line};
    return room;
}

/* Appends a name, its last two parts only; returns where it stands, or 0. */
static uint32_t add_name(struct lines *l, const char *name) {
    const char *from = name;
    for (const char *c = name, *last = name; *c != '\0'; c++) {
        if (*c == '/') {
            from = last;
            last = c + 1;
        }
    }
    size_t n = strlen(from) + 1;
    void *array = l->names;
    bool room = grow(&array, &l->names_size, l->names_used + n, 1, NAMES_BYTES_MAX);
    l->names = array;
    if (!room)
        return 0;
    char *out = l->names + l->names_used;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(from[i] == '\0' || (from[i] > ' ' && from[i] <= '~') ? from[i] : '?');
    l->names_used += n;
    return (uint32_t)(l->names_used - n);
}

/* Where in names each file of a unit stands; filled as lines want them. */
struct unit_files {
    uint32_t *name;
    size_t count;
};

static uint32_t file_of(struct lines *l, Dwarf_Debug dbg, Dwarf_Line line,
                        struct unit_files *files) {
    Dwarf_Unsigned number = 0;
    Dwarf_Error error = NULL;
    char *name = NULL;
    if (dwarf_line_srcfileno(line, &number, &error) != DW_DLV_OK || number >= files->count)
        return 0;
    if (files->name[number] == 0 && dwarf_linesrc(line, &name, &error) == DW_DLV_OK) {
        files->name[number] = add_name(l, name);
        dwarf_dealloc(dbg, name, DW_DLA_STRING);
    }
    return files->name[number];
}

static void add_unit(struct lines *l, Dwarf_Debug dbg, Dwarf_Line *line, Dwarf_Signed count,
                     struct unit_files *files) {
    bool dead = false, starts = true;
    for (Dwarf_Signed i = 0; i < count; i++) {
        Dwarf_Addr address;
        Dwarf_Unsigned number;
        Dwarf_Bool ends;
        Dwarf_Error error = NULL;
        if (dwarf_lineaddr(line[i], &address, &error) != DW_DLV_OK ||
            dwarf_lineno(line[i], &number, &error) != DW_DLV_OK ||
            dwarf_lineendsequence(line[i], &ends, &error) != DW_DLV_OK)
            return;
        if (starts)
            dead = address == 0;
        starts = ends;
        if (dead || address > UINT32_MAX)
            continue;
        uint32_t file = ends ? 0 : file_of(l, dbg, line[i], files);
        if (!add_entry(l, address, file, ends || file == 0 ? 0 : (uint32_t)number))
            return;
    }
}

static void read_unit(struct lines *l, Dwarf_Debug dbg, Dwarf_Die die, struct unit_files *files) {
    Dwarf_Unsigned version;
    Dwarf_Small tables;
    Dwarf_Line_Context context;
    Dwarf_Line *line;
    Dwarf_Signed count;
    Dwarf_Error error = NULL;
    if (dwarf_srclines_b(die, &version, &tables, &context, &error) != DW_DLV_OK)
        return;
    memset(files->name, 0, files->count * sizeof *files->name);
    if (dwarf_srclines_from_linecontext(context, &line, &count, &error) == DW_DLV_OK)
        add_unit(l, dbg, line, count, files);
    dwarf_srclines_dealloc_b(context);
}

static void read_units(struct lines *l, Dwarf_Debug dbg, struct unit_files *files) {
    for (;;) {
        Dwarf_Unsigned length, abbrev, type_offset, next;
        Dwarf_Half version, address_size, length_size, extension_size, kind;
        Dwarf_Sig8 signature;
        Dwarf_Error error = NULL;
        Dwarf_Die die = NULL;
        if (dwarf_next_cu_header_d(dbg, true, &length, &version, &abbrev, &address_size,
                                   &length_size, &extension_size, &signature, &type_offset, &next,
                                   &kind, &error) != DW_DLV_OK)
            return;
        if (dwarf_siblingof_b(dbg, NULL, true, &die, &error) != DW_DLV_OK)
            continue;
        read_unit(l, dbg, die, files);
        dwarf_dealloc(dbg, die, DW_DLA_DIE);
    }
}

/* By address; where one sequence ends and another begins, the beginning comes last and counts. */
static int compare(const void *a, const void *b) {
    const struct line_entry *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return (x->line != 0) - (y->line != 0);
}

void lines_read(struct lines *l, int fd) {
    Dwarf_Debug dbg = NULL;
    Dwarf_Error error = NULL;
    struct unit_files files = {calloc(FILES_MAX, sizeof *files.name), FILES_MAX};
    *l = (struct lines){0};
    if (files.name == NULL)
        return;
    int status = dwarf_init_b(fd, DW_DLC_READ, DW_GROUPNUMBER_ANY, NULL, NULL, &dbg, &error);
    if (status == DW_DLV_OK) {
        add_name(l, "?"); /* so that 0 means no name */
        read_units(l, dbg, &files);
        dwarf_finish(dbg, &error);
    } else if (status == DW_DLV_ERROR) {
        dwarf_dealloc(NULL, error, DW_DLA_ERROR);
    }
    free(files.name);
    if (l->count > 0)
        qsort(l->entries, l->count, sizeof *l->entries, compare);
}

void lines_free(struct lines *l) {
    free(l->entries);
    free(l->names);
    *l = (struct lines){0};
}
