/*
 * Symbol tables, the files they come from, line tables, and the trace filter: host/process/
 * rt_symtab.c, symfile.c, lines.c, rt_dfilter.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "host/process/dfilter.h"
#include "host/process/lines.h"
#include "host/process/symfile.h"
#include "host/process/symtab.h"

enum { FUZZ_RUNS = 20000 };

static struct symtab t;
static uint32_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static const char *name_at(uint64_t address) {
    const struct symbol *s = symtab_find(&t, address);
    return s != NULL ? symtab_name(&t, s) : NULL;
}

#define NAME(address, text) assert_string_equal(name_at(address), text)
#define NO_NAME(address)    assert_null(name_at(address))

/* -- the table -----------------------------------------------------------------------------------
 */

static void add(uint64_t address, const char *name, enum symbol_rank rank) {
    assert_true(symtab_add(&t, address, name, strlen(name), rank));
}

static void nearest_below_is_found(void **state) {
    (void)state;
    assert_true(symtab_create(&t, 8, 256));
    NO_NAME(0);
    symtab_seal(&t);
    NO_NAME(0);
    add(0x2000, "b", SYMBOL_FUNCTION);
    add(0x1000, "a", SYMBOL_FUNCTION);
    add(0xffffffff, "last", SYMBOL_FUNCTION);
    symtab_seal(&t);
    NO_NAME(0xfff);
    NAME(0x1000, "a");
    NAME(0x1fff, "a");
    NAME(0x2000, "b");
    NAME(0x2000 + SYMBOL_REACH - 1, "b");
    NO_NAME(0x2000 + SYMBOL_REACH);
    NAME(0xffffffff, "last");
    uint64_t address;
    assert_true(symtab_address(&t, "b", &address));
    assert_int_equal(address, 0x2000);
    assert_false(symtab_address(&t, "bb", &address));
    assert_false(symtab_address(&t, "", &address));
    symtab_clear(&t);
    NO_NAME(0x1000);
}

static void best_of_several_names(void **state) {
    (void)state;
    assert_true(symtab_create(&t, 8, 256));
    add(0x1000, "data", SYMBOL_OTHER);
    add(0x1000, "local", SYMBOL_LOCAL_FUNCTION);
    add(0x1000, "first", SYMBOL_FUNCTION);
    add(0x1000, "second", SYMBOL_FUNCTION);
    add(0x0800, "before", SYMBOL_FUNCTION);
    symtab_seal(&t);
    NAME(0x1000, "first");
    NAME(0x1001, "first");
    NAME(0xfff, "before");
    uint64_t address; /* the other names lead there too */
    assert_true(symtab_address(&t, "local", &address));
    assert_int_equal(address, 0x1000);
}

static void full_table_refuses(void **state) {
    (void)state;
    assert_true(symtab_create(&t, 2, 256));
    add(1, "a", SYMBOL_FUNCTION);
    add(2, "b", SYMBOL_FUNCTION);
    assert_false(symtab_add(&t, 3, "c", 1, SYMBOL_FUNCTION));
    assert_true(symtab_create(&t, 100, 8));
    add(1, "abc", SYMBOL_FUNCTION);
    assert_false(symtab_add(&t, 2, "defg", 4, SYMBOL_FUNCTION));
    add(2, "def", SYMBOL_FUNCTION);
    symtab_seal(&t);
    NAME(1, "abc");
    NAME(2, "def");
}

static void names_are_fit_for_terminals(void **state) {
    (void)state;
    assert_true(symtab_create(&t, 2, 64));
    assert_true(symtab_add(&t, 1, "a\033[2J\n\xff b\0c", 10, SYMBOL_FUNCTION));
    symtab_seal(&t);
    NAME(1, "a?[2J??"
            "?b?");
}

/* Against a search from end to end. */
static void random_tables(void **state) {
    (void)state;
    enum { COUNT = 500 };
    seed = 1;
    for (unsigned run = 0; run < 20; run++) {
        assert_true(symtab_create(&t, COUNT, 64 * COUNT));
        for (unsigned i = 0; i < COUNT; i++)
            add(draw(2000), (char[]){(char)('a' + draw(26)), (char)('a' + draw(26)), '\0'},
                (enum symbol_rank)draw(3));
        symtab_seal(&t);
        for (unsigned address = 0; address < 2100; address++) {
            const struct symbol *best = NULL;
            for (unsigned i = 0; i < t.count; i++) {
                const struct symbol *s = &t.symbols[i];
                if (s->address > address || (best != NULL && s->address < best->address))
                    continue;
                if (best == NULL || s->address > best->address || s->rank < best->rank ||
                    (s->rank == best->rank && s->name < best->name))
                    best = s;
            }
            assert_ptr_equal(symtab_find(&t, address), best);
        }
    }
}

/* -- System.map ----------------------------------------------------------------------------------
 */

static bool read_map(const char *text) {
    struct load_blob file = {(const uint8_t *)text, strlen(text)};
    return symfile_read_map(&file, &t);
}

static void system_map(void **state) {
    (void)state;
    assert_true(read_map("00000000 A crc\n"
                         "c1000000 T _text\n"
                         "c1000000 T startup_32\n"
                         "c1000020 t local\n"
                         "c1000030 d data\n"
                         "c1000040 W weak\t[module]\n"
                         "         U missing\n"
                         "ffffffff B end") == false); /* no address on one line */
    assert_int_equal(t.count, 0);
    assert_true(read_map("00000000 A crc\n"
                         "c1000040 W weak\t[module]\r\n"
                         "c1000000 T _text\n"
                         "c1000000 T startup_32\n\n"
                         "C1000020 t local\n"
                         "c1000030 d data\n"
                         "ffffffff B end"));
    NO_NAME(0);
    NAME(0xc1000000, "_text");
    NAME(0xc100001f, "_text");
    NAME(0xc1000025, "local");
    NAME(0xc1000030, "data");
    NAME(0xc1000041, "weak");
    NAME(0xffffffff, "end");
}

static void what_is_no_system_map(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "hello",
        "#!/bin/sh\n",
        "c1000000\n",
        "c1000000 T\n",
        "c1000000 T \n",
        "c1000000Tx y\n",
        "c1000000 TT name\n",
        "0123456789abcdef0 T name\n",
        "c1000000 T name\nrubbish\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(read_map(texts[i]));
        assert_int_equal(t.count, 0);
    }
}

/* -- ELF -----------------------------------------------------------------------------------------
 */

/* A file of both tables and three section headers: null, .symtab, .strtab. */
struct small_elf {
    Elf32_Ehdr header;
    Elf32_Shdr section[3];
    Elf32_Sym symbol[8];
    char strings[64];
};

static struct small_elf elf;

static void set_symbol(unsigned n, const char *name, uint32_t value, unsigned bind, unsigned type,
                       unsigned section) {
    size_t at = 1;
    while (elf.strings[at] != '\0')
        at += strlen(elf.strings + at) + 1;
    strcpy(elf.strings + at, name);
    elf.symbol[n] = (Elf32_Sym){.st_name = (uint32_t)at,
                                .st_value = value,
                                .st_info = ELF32_ST_INFO(bind, type),
                                .st_shndx = (uint16_t)section};
}

static void make_elf(void) {
    memset(&elf, 0, sizeof elf);
    memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
    elf.header.e_ident[EI_CLASS] = ELFCLASS32;
    elf.header.e_ident[EI_DATA] = ELFDATA2LSB;
    elf.header.e_shoff = offsetof(struct small_elf, section);
    elf.header.e_shentsize = sizeof(Elf32_Shdr);
    elf.header.e_shnum = 3;
    elf.section[1] = (Elf32_Shdr){.sh_type = SHT_SYMTAB,
                                  .sh_link = 2,
                                  .sh_offset = offsetof(struct small_elf, symbol),
                                  .sh_size = sizeof elf.symbol,
                                  .sh_entsize = sizeof(Elf32_Sym)};
    elf.section[2] = (Elf32_Shdr){.sh_type = SHT_STRTAB,
                                  .sh_offset = offsetof(struct small_elf, strings),
                                  .sh_size = sizeof elf.strings};
    set_symbol(1, "main", 0x100000, STB_GLOBAL, STT_FUNC, 1);
    set_symbol(2, "label", 0x100010, STB_LOCAL, STT_NOTYPE, 1);
    set_symbol(3, "file.c", 0x100011, STB_LOCAL, STT_FILE, SHN_ABS);
    set_symbol(4, "extern", 0x100012, STB_GLOBAL, STT_FUNC, SHN_UNDEF);
    set_symbol(5, "number", 0x100013, STB_GLOBAL, STT_NOTYPE, SHN_ABS);
    set_symbol(6, ".L1", 0x100014, STB_LOCAL, STT_NOTYPE, 1);
    set_symbol(7, "data", 0x100020, STB_GLOBAL, STT_OBJECT, 2);
}

static bool read_elf(size_t size) {
    /* exactly so large, so that a sanitizer sees a read beyond */
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, &elf, size);
    bool good = symfile_read_elf(&(struct load_blob){copy, size}, &t);
    free(copy);
    return good;
}

static void elf_symbols(void **state) {
    (void)state;
    make_elf();
    assert_true(read_elf(sizeof elf));
    assert_int_equal(t.count, 3);
    NAME(0x10000f, "main");
    NAME(0x100015, "label");
    NAME(0x100020, "data");
    elf.section[1].sh_type = SHT_NULL; /* stripped */
    assert_true(read_elf(sizeof elf));
    assert_int_equal(t.count, 0);
}

static void damaged_elf(void **state) {
    (void)state;
    make_elf();
    for (size_t size = 0; size < sizeof elf; size++) {
        assert_false(read_elf(size));
        assert_int_equal(t.count, 0);
    }
    elf.section[1].sh_link = 7;
    assert_false(read_elf(sizeof elf));
    make_elf();
    elf.section[1].sh_entsize = 8;
    assert_false(read_elf(sizeof elf));
    make_elf();
    elf.header.e_shoff = 0xfffffff0;
    assert_false(read_elf(sizeof elf));
    make_elf();
    elf.symbol[1].st_name = 0x7fffffff; /* one bad name spoils only itself */
    elf.strings[sizeof elf.strings - 1] = 'x';
    elf.symbol[2].st_name = sizeof elf.strings - 1;
    assert_true(read_elf(sizeof elf));
    NAME(0x100010, "x");
    NO_NAME(0x100000);
}

static void elf_fuzz(void **state) {
    (void)state;
    unsigned good = 0;
    for (unsigned run = 0; run < FUZZ_RUNS; run++) {
        seed = run;
        make_elf();
        for (unsigned n = 1 + draw(6); n > 0; n--)
            ((uint8_t *)&elf)[draw(sizeof elf)] = (uint8_t)(draw(3) ? draw(256) : 0xff);
        good += read_elf(sizeof elf);
        for (unsigned i = 0; i < t.count; i++)
            assert_true(t.symbols[i].name < t.strings_used);
    }
    assert_in_range(good, 1, FUZZ_RUNS - 1);
}

static void own_file_64_bit(void **state) {
    (void)state;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t *data = malloc((size_t)size);
    assert_non_null(data);
    assert_int_equal(pread(fd, data, (size_t)size, 0), size);
    assert_true(symfile_read_elf(&(struct load_blob){data, (uint64_t)size}, &t));
    uint64_t mine, other;
    assert_true(symtab_address(&t, "own_file_64_bit", &mine));
    assert_true(symtab_address(&t, "symfile_read_elf", &other));
    assert_int_equal(other - mine, (uintptr_t)symfile_read_elf - (uintptr_t)own_file_64_bit);

    struct lines lines;
    uint32_t line;
    lines_read(&lines, fd);
    const char *file = lines_find(&lines, (uint32_t)mine, &line);
    assert_non_null(file);
    assert_string_equal(file, "unit/process_symbols.c");
    assert_in_range(line, 1, __LINE__ - 1);
    file = lines_find(&lines, (uint32_t)other, &line);
    assert_non_null(file);
    assert_string_equal(file, "process/symfile.c");
    assert_null(lines_find(&lines, 0, &line));
    assert_null(lines_find(&lines, 0xfffffff0, &line));
    lines_free(&lines);
    free(data);
    close(fd);
}

static void file_without_lines(void **state) {
    (void)state;
    struct lines lines;
    uint32_t line;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    lines_read(&lines, fd);
    assert_int_equal(lines.count, 0);
    assert_null(lines_find(&lines, 0x1000, &line));
    lines_free(&lines);
    close(fd);
}

/* -- the filter ----------------------------------------------------------------------------------
 */

static void filter_ranges(void **state) {
    (void)state;
    char message[OPTIONS_MESSAGE];
    struct dfilter f = {0};
    assert_true(dfilter_passes(&f, 5)); /* no filter */
    assert_true(dfilter_parse(&f, "0x1000+0x10,0x2000-16,0x3000..0x3001,5000+1", message));
    static const struct {
        uint32_t gla;
        bool passes;
    } cases[] = {{0xfff, false},  {0x1000, true}, {0x100f, true}, {0x1010, false},
                 {0x1fef, false}, {0x1ff0, true}, {0x1fff, true}, {0x2000, false},
                 {0x2fff, false}, {0x3000, true}, {0x3001, true}, {0x3002, false},
                 {4999, false},   {5000, true},   {5001, false},  {0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(dfilter_passes(&f, cases[i].gla), cases[i].passes);
    assert_true(dfilter_parse(&f, "0xffffffff+1", message));
    assert_true(dfilter_passes(&f, 0xffffffff));
    assert_true(dfilter_parse(&f, "start_kernel", message));
    assert_false(dfilter_passes(&f, 0xc1000000)); /* nothing has names here */
}

static void filter_mistakes(void **state) {
    (void)state;
    static const char *const lists[] = {
        "",     ",",   "1",   "1+",    "1+2+3", "1..", "1.2",           "2..1",
        "0x+1", "1+0", "1-2", "12g+1", "1+1,",  "1*2", "0x100000000+1", "0xffffffff+2"};
    char message[OPTIONS_MESSAGE];
    struct dfilter f;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        assert_false(dfilter_parse(&f, lists[i], message));
        assert_memory_equal(message, "-dfilter: '", 11);
    }
    char many[40 * 8] = "";
    for (unsigned i = 0; i < 33; i++)
        strcat(many, i ? ",1+1" : "1+1");
    assert_false(dfilter_parse(&f, many, message));
    assert_string_equal(message, "-dfilter: more than 32 items");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_below_is_found),
        cmocka_unit_test(best_of_several_names),
        cmocka_unit_test(full_table_refuses),
        cmocka_unit_test(names_are_fit_for_terminals),
        cmocka_unit_test(random_tables),
        cmocka_unit_test(system_map),
        cmocka_unit_test(what_is_no_system_map),
        cmocka_unit_test(elf_symbols),
        cmocka_unit_test(damaged_elf),
        cmocka_unit_test(elf_fuzz),
        cmocka_unit_test(own_file_64_bit),
        cmocka_unit_test(file_without_lines),
        cmocka_unit_test(filter_ranges),
        cmocka_unit_test(filter_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
