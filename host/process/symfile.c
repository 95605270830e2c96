/*
 * Symbol tables from files (symfile.h).
 */
#include "host/process/symfile.h"

#include <elf.h>
#include <string.h>

enum { SYMBOLS_MAX = 4 << 20, NAME_BYTES_MAX = 4096 };

bool symfile_is_elf(const struct load_blob *file) {
    return file->size >= EI_NIDENT && memcmp(file->data, ELFMAG, SELFMAG) == 0;
}

/* n bytes at offset `at`, or NULL when the file does not have them. */
static const uint8_t *part(const struct load_blob *file, uint64_t at, uint64_t n) {
    return at <= file->size && n <= file->size - at ? file->data + at : NULL;
}

/* -- ELF -- */

/* What of a section header is needed, whichever class the file is of. */
struct section {
    uint32_t type;
    uint32_t link;
    uint64_t flags;
    uint64_t offset, size, entry_size;
};

struct elf {
    const struct load_blob *file;
    bool wide; /* 64-bit */
    uint64_t sections, section_size;
    unsigned section_count;
};

static bool open_elf(struct elf *e, const struct load_blob *file) {
    *e = (struct elf){.file = file, .wide = file->data[EI_CLASS] == ELFCLASS64};
    if (file->data[EI_DATA] != ELFDATA2LSB)
        return false;
    if (e->wide) {
        Elf64_Ehdr h;
        if (file->size < sizeof h)
            return false;
        memcpy(&h, file->data, sizeof h);
        e->sections = h.e_shoff;
        e->section_size = h.e_shentsize;
        e->section_count = h.e_shnum;
    } else {
        Elf32_Ehdr h;
        if (file->size < sizeof h)
            return false;
        memcpy(&h, file->data, sizeof h);
        e->sections = h.e_shoff;
        e->section_size = h.e_shentsize;
        e->section_count = h.e_shnum;
    }
    return true;
}

static bool get_section(const struct elf *e, unsigned n, struct section *out) {
    uint64_t size = e->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (n >= e->section_count || e->section_size < size || e->sections > e->file->size)
        return false;
    const uint8_t *p = part(e->file, e->sections + n * e->section_size, size);
    if (p == NULL)
        return false;
    if (e->wide) {
        Elf64_Shdr h;
        memcpy(&h, p, sizeof h);
        *out = (struct section){h.sh_type,   h.sh_link, h.sh_flags,
                                h.sh_offset, h.sh_size, h.sh_entsize};
    } else {
        Elf32_Shdr h;
        memcpy(&h, p, sizeof h);
        *out = (struct section){h.sh_type,   h.sh_link, h.sh_flags,
                                h.sh_offset, h.sh_size, h.sh_entsize};
    }
    return true;
}

static Elf64_Sym get_symbol(const struct elf *e, const uint8_t *p) {
    Elf64_Sym wide;
    Elf32_Sym s;
    if (e->wide) {
        memcpy(&wide, p, sizeof wide);
        return wide;
    }
    memcpy(&s, p, sizeof s);
    return (Elf64_Sym){s.st_name, s.st_info, s.st_other, s.st_shndx, s.st_value, s.st_size};
}

/* Labels of code and data; not files, sections, or what another file defines. */
static bool wanted(const Elf64_Sym *s) {
    unsigned type = ELF64_ST_TYPE(s->st_info);
    return (type == STT_FUNC || type == STT_NOTYPE || type == STT_OBJECT ||
            type == STT_GNU_IFUNC) &&
           s->st_shndx != SHN_UNDEF && s->st_shndx != SHN_ABS && s->st_shndx != SHN_COMMON;
}

static enum symbol_rank rank_of(const Elf64_Sym *s) {
    if (ELF64_ST_TYPE(s->st_info) != STT_FUNC)
        return SYMBOL_OTHER;
    return ELF64_ST_BIND(s->st_info) == STB_LOCAL ? SYMBOL_LOCAL_FUNCTION : SYMBOL_FUNCTION;
}

static bool add_symbols(const struct elf *e, const struct section *symbols,
                        const struct section *strings, struct symtab *t) {
    uint64_t size = e->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    const uint8_t *p = part(e->file, symbols->offset, symbols->size);
    const char *names = (const char *)part(e->file, strings->offset, strings->size);
    uint64_t count = symbols->size / size;
    if (p == NULL || names == NULL || symbols->entry_size != size || count > SYMBOLS_MAX)
        return false;
    /* names may share their ends, so they can be more in all than the section */
    uint64_t bytes = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < count; i++) {
            Elf64_Sym s = get_symbol(e, p + i * size);
            if (!wanted(&s) || s.st_name >= strings->size)
                continue;
            const char *name = names + s.st_name;
            uint64_t room = strings->size - s.st_name;
            size_t n = strnlen(name, room < NAME_BYTES_MAX ? room : NAME_BYTES_MAX);
            if (n == 0 || name[0] == '$' || name[0] == '.')
                continue; /* marks of the assembler */
            bytes += n + 1;
            if (pass == 1 && !symtab_add(t, s.st_value, name, n, rank_of(&s)))
                return false;
        }
        if (pass == 0 &&
            (bytes > UINT32_MAX || !symtab_create(t, (uint32_t)count, (uint32_t)bytes)))
            return false;
    }
    return true;
}

bool symfile_read_elf(const struct load_blob *file, struct symtab *t) {
    struct elf e;
    struct section symbols, strings;
    *t = (struct symtab){0};
    if (!symfile_is_elf(file) || !open_elf(&e, file))
        return false;
    for (unsigned n = 0; n < e.section_count; n++) {
        if (!get_section(&e, n, &symbols))
            return false;
        if (symbols.type != SHT_SYMTAB)
            continue;
        if (!get_section(&e, symbols.link, &strings) || strings.type != SHT_STRTAB ||
            !add_symbols(&e, &symbols, &strings, t)) {
            *t = (struct symtab){0};
            return false;
        }
        symtab_seal(t);
        return true;
    }
    return true;
}

/* -- nm's text -- */

/* One line, "c1000000 T _text"; a module's name may follow. */
struct line {
    uint64_t address;
    char type;
    const char *name;
    size_t length;
};

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads [p, end). False: it is no such line. */
static bool take_line(const char *p, const char *end, struct line *out) {
    const char *start = p;
    out->address = 0;
    for (; p < end && hex_digit(*p) >= 0; p++)
        out->address = out->address << 4 | (unsigned)hex_digit(*p);
    if (p == start || p - start > 16 || end - p < 4 || p[0] != ' ' || p[2] != ' ')
        return false;
    out->type = p[1];
    out->name = p += 3;
    while (p < end && *p != ' ' && *p != '\t' && *p != '\r')
        p++;
    out->length = (size_t)(p - out->name);
    return out->length > 0 && out->length <= NAME_BYTES_MAX;
}

static bool add_line(struct symtab *t, const struct line *l) {
    switch (l->type) {
    case 'T':
    case 'W':
        return symtab_add(t, l->address, l->name, l->length, SYMBOL_FUNCTION);
    case 't':
    case 'w':
        return symtab_add(t, l->address, l->name, l->length, SYMBOL_LOCAL_FUNCTION);
    case 'A':
    case 'a':
    case 'N':
    case 'n':
    case 'U': /* numbers, not places */
        return true;
    default:
        return symtab_add(t, l->address, l->name, l->length, SYMBOL_OTHER);
    }
}

bool symfile_read_map(const struct load_blob *file, struct symtab *t) {
    const char *p = (const char *)file->data, *end = p + file->size;
    uint64_t lines = 1;
    *t = (struct symtab){0};
    for (const char *c = p; c < end; c++)
        lines += *c == '\n';
    if (file->size == 0 || lines > SYMBOLS_MAX || file->size > UINT32_MAX - 1 ||
        !symtab_create(t, (uint32_t)lines, (uint32_t)file->size + 1))
        return false;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *line_end = newline != NULL ? newline : end;
        struct line l;
        if (line_end > p && (!take_line(p, line_end, &l) || !add_line(t, &l))) {
            *t = (struct symtab){0};
            return false;
        }
        p = line_end + 1;
    }
    symtab_seal(t);
    return true;
}
