/*
 * Writing the symbol module (ring0_symbols.h).
 */
#include "host/process/ring0_symbols.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/process/symbols.h"
#include "host/symbol_module.h"

enum { ALIGNMENT = 8, MIB = 1 << 20 };

struct part {
    const void *data;
    size_t bytes;
};

static void list_parts(struct part parts[SYMBOL_PARTS]) {
    const struct symbols *s = &symbols;
    parts[PART_FILE_SYMBOLS] =
        (struct part){s->file.symbols, s->file.count * sizeof(struct symbol)};
    parts[PART_FILE_STRINGS] = (struct part){s->file.strings, s->file.strings_used};
    parts[PART_OWN_SYMBOLS] = (struct part){s->own.symbols, s->own.count * sizeof(struct symbol)};
    parts[PART_OWN_STRINGS] = (struct part){s->own.strings, s->own.strings_used};
    parts[PART_LINES] = (struct part){s->lines.entries, s->lines.count * sizeof(struct line_entry)};
    parts[PART_LINE_NAMES] = (struct part){s->lines.names, s->lines.names_used};
}

static size_t padded(size_t bytes) {
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool write_padded(FILE *f, const void *data, size_t bytes) {
    static const char zeros[ALIGNMENT];
    size_t rest = padded(bytes) - bytes;
    return (bytes == 0 || fwrite(data, bytes, 1, f) == 1) &&
           (rest == 0 || fwrite(zeros, rest, 1, f) == 1);
}

int ring0_symbols_write(void) {
    struct symbol_module module = {.magic = SYMBOL_MODULE_MAGIC};
    struct part parts[SYMBOL_PARTS];
    size_t at = padded(sizeof module);
    int fd = memfd_create("symbols", 0);
    FILE *f = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
    if (f == NULL)
        return -1;
    list_parts(parts);
    for (unsigned i = 0; i < SYMBOL_PARTS; i++) {
        module.part[i].offset = at;
        module.part[i].bytes = parts[i].bytes;
        at += padded(parts[i].bytes);
    }
    bool good = write_padded(f, &module, sizeof module);
    for (unsigned i = 0; i < SYMBOL_PARTS && good; i++)
        good = write_padded(f, parts[i].data, parts[i].bytes);
    return fclose(f) == 0 && good ? fd : -1;
}

unsigned long long ring0_symbols_mib(void) {
    struct part parts[SYMBOL_PARTS];
    unsigned long long bytes = 0;
    list_parts(parts);
    for (unsigned i = 0; i < SYMBOL_PARTS; i++)
        bytes += parts[i].bytes;
    return bytes / MIB + 1;
}
