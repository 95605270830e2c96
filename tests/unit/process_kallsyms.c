/*
 * host/process/rt_kallsyms.c: every layout of a kernel's own symbol table is read back, a stale or
 * damaged one is not believed, and hostile memory neither leads outside nor takes forever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "host/host.h"
#include "host/process/kallsyms.h"

enum layout { PLAIN, ADDRESSES, SEQUENCE3, SEQUENCE4, OFFSETS_LAST, LAYOUTS };
enum { IMAGE_BYTES = 1 << 20, SYMBOLS_MAX = 6000, BASE = 0xc1000000, FUZZ_RUNS = 3000 };

static struct symtab table;
static struct kallsyms_seal seal;
static uint8_t *image; /* ends where an unmapped page begins */
static size_t used;
static uint32_t seed;

static uint32_t draw(uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static uint32_t address_of(unsigned i) {
    return BASE + 16 * i + (i % 7 == 3 ? 1 : 0);
}

/* Type and name of symbol i. One name is longer than 127 tokens. */
static void name_of(unsigned i, char out[400]) {
    static const char *const stems[] = {"sys_call_", "start_", "_x.", "Zz", "do_"};
    int n = sprintf(out, "%c%s%u", i % 3 == 0 ? 'T' : 't', stems[i % 5], i);
    if (i == 5)
        for (; n < 300; n++)
            out[n] = 'q';
    out[n] = '\0';
}

/* -- writing a table as a kernel's build does ----------------------------------------------------
 */

static void put(const void *p, size_t n) {
    assert_true(used + n <= IMAGE_BYTES);
    memcpy(image + used, p, n);
    used += n;
}

static void put8(unsigned value) {
    uint8_t byte = (uint8_t)value;
    put(&byte, 1);
}

static void put32(uint32_t value) {
    put(&value, sizeof value);
}

static void align(void) {
    while (used % 4 != 0)
        put8(0);
}

/* Token n: itself if it is a character of names, some sequences, else nothing. */
static void token_of(unsigned n, char out[16]) {
    static const char *const more[] = {"sys_", "start_", "call_", "1", "qq"};
    out[0] = '\0';
    if ((n >= '0' && n <= '9') || (n >= 'A' && n <= 'Z') || (n >= 'a' && n <= 'z') || n == '_' ||
        n == '.') {
        out[0] = (char)n;
        out[1] = '\0';
    } else if (n >= 0x80 && n < 0x85) {
        strcpy(out, more[n - 0x80]);
    }
}

/* Length byte(s) and tokens of a name. */
static void put_name(const char *name) {
    uint8_t tokens[400];
    unsigned n = 0;
    while (*name != '\0') {
        unsigned best = (unsigned char)*name;
        size_t length = 1;
        for (unsigned k = 0x80; k < 0x84; k++) {
            char token[16];
            token_of(k, token);
            if (strlen(token) > length && strncmp(name, token, strlen(token)) == 0) {
                best = k;
                length = strlen(token);
            }
        }
        tokens[n++] = (uint8_t)best;
        name += length;
    }
    if (n < 128) {
        put8(n);
    } else {
        put8((n & 0x7f) | 0x80);
        put8(n >> 7);
    }
    put(tokens, n);
}

static void put_addresses(unsigned count, enum layout layout) {
    for (unsigned i = 0; i < count; i++)
        put32(address_of(i) - (layout == ADDRESSES ? 0 : BASE));
    if (layout != ADDRESSES)
        put32(BASE);
}

/* The whole table behind `lead` bytes of other things; returns where token_table is. */
static size_t build(unsigned count, enum layout layout, size_t lead) {
    static uint32_t markers[SYMBOLS_MAX / 256 + 1];
    used = 0;
    while (used < lead)
        put8(0x80 | draw(128));
    align();
    if (layout != OFFSETS_LAST)
        put_addresses(count, layout);
    put32(count);
    size_t names = used;
    for (unsigned i = 0; i < count; i++) {
        char name[400];
        name_of(i, name);
        if (i % 256 == 0)
            markers[i / 256] = (uint32_t)(used - names);
        put_name(name);
    }
    align();
    for (unsigned i = 0; i < (count + 255) / 256; i++)
        put32(markers[i]);
    for (unsigned i = 0; i < count && layout == SEQUENCE3; i++) {
        put8(i >> 16);
        put8(i >> 8);
        put8(i);
    }
    for (unsigned i = 0; i < count && layout == SEQUENCE4; i++)
        put32(count - 1 - i);
    align();
    size_t tokens = used;
    uint16_t index[256];
    for (unsigned n = 0; n < 256; n++) {
        char token[16];
        token_of(n, token);
        index[n] = (uint16_t)(used - tokens);
        put(token, strlen(token) + 1);
    }
    align();
    put(index, sizeof index);
    if (layout == OFFSETS_LAST)
        put_addresses(count, layout);
    return tokens;
}

/* Moves what was built to the end of the memory. */
static const uint8_t *at_end(void) {
    size_t size = (used + 3) & ~(size_t)3;
    memmove(image + IMAGE_BYTES - size, image, used);
    return image + IMAGE_BYTES - size;
}

static bool extract(uint32_t known) {
    size_t size = (used + 3) & ~(size_t)3;
    return kallsyms_extract(at_end(), size, known, &table, &seal);
}

/* -- tests ---------------------------------------------------------------------------------------
 */

static void check_all(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char name[400];
        name_of(i, name);
        const struct symbol *s = symtab_find(&table, address_of(i));
        assert_non_null(s);
        assert_int_equal(s->address, address_of(i));
        assert_string_equal(symtab_name(&table, s), name + 1);
    }
    assert_int_equal(table.count, count);
}

static void every_layout(void **state) {
    (void)state;
    static const unsigned counts[] = {1, 6, 255, 256, 257, 512, 1000, 5001};
    seed = 1;
    for (unsigned layout = 0; layout < LAYOUTS; layout++) {
        for (unsigned k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            build(counts[k], (enum layout)layout, 4096 + 4 * draw(64));
            assert_true(extract(address_of(counts[k] - 1)));
            check_all(counts[k]);
        }
    }
}

/* After a restart the table of the kernel before may lie in front of the right one. */
static void table_of_another_kernel_is_passed_over(void **state) {
    (void)state;
    seed = 2;
    build(700, PLAIN, 0);
    size_t first = used;
    assert_false(extract(BASE + 4));
    assert_int_equal(table.count, 0);
    build(300, PLAIN, first); /* in its place other things, then a smaller one */
    assert_true(extract(address_of(299)));
    size_t second = used;
    build(700, PLAIN, 0);
    memmove(image + used, image, used);
    used *= 2;
    assert_true(used > second);
    assert_true(extract(address_of(699)));
    check_all(700);
}

static void seal_tells_a_changed_table(void **state) {
    (void)state;
    seed = 3;
    for (unsigned layout = 0; layout < LAYOUTS; layout++) {
        build(300, (enum layout)layout, 64);
        assert_true(extract(address_of(0)));
        size_t size = (used + 3) & ~(size_t)3;
        uint8_t *memory = image + IMAGE_BYTES - size;
        assert_true(kallsyms_intact(memory, size, &seal));
        for (unsigned i = 0; i < 2; i++) {
            memory[seal.at[i]] ^= 1;
            assert_false(kallsyms_intact(memory, size, &seal));
            memory[seal.at[i]] ^= 1;
        }
        assert_false(kallsyms_intact(memory, 2, &seal));
    }
}

static void table_larger_than_room_is_refused(void **state) {
    (void)state;
    struct symtab small;
    seed = 4;
    build(300, PLAIN, 0);
    assert_true(symtab_create(&small, 299, 1 << 16));
    assert_false(kallsyms_extract(at_end(), used, address_of(0), &small, &seal));
    assert_int_equal(small.count, 0);
    assert_true(symtab_create(&small, 300, 256));
    assert_false(kallsyms_extract(at_end(), used, address_of(0), &small, &seal));
    assert_int_equal(small.count, 0);
}

/* Each field that makes the table one, broken: nothing is found. */
static void damaged_table_is_not_believed(void **state) {
    (void)state;
    for (unsigned damage = 0; damage < 4; damage++) {
        seed = 5;
        size_t tokens = build(1000, PLAIN, 0);
        size_t names = 4 * 1000 + 8;
        switch (damage) {
        case 0:
            image[tokens + 1] ^= 'x'; /* a token */
            break;
        case 1:
            image[tokens - 4] ^= 1; /* the last marker */
            break;
        case 2:
            image[names - 4] ^= 1; /* num_syms */
            break;
        case 3:
            image[4 * 500 + 3] = 0xff; /* an offset */
            break;
        }
        assert_false(extract(address_of(0)));
        assert_int_equal(table.count, 0);
    }
}

static void short_memory_holds_nothing(void **state) {
    (void)state;
    seed = 6;
    build(300, PLAIN, 0);
    size_t whole = used;
    for (size_t size = 0; size < whole; size += 1 + draw(40)) {
        build(300, PLAIN, 0);
        used = size;
        assert_false(extract(address_of(0)));
    }
}

/* Random changes, most of them where they matter. */
static void fuzz(void **state) {
    (void)state;
    unsigned believed = 0;
    for (unsigned run = 0; run < FUZZ_RUNS; run++) {
        seed = 1000 + run;
        size_t tokens = build(10 + draw(600), (enum layout)draw(LAYOUTS), 4 * draw(16));
        for (unsigned n = 1 + draw(8); n > 0; n--) {
            size_t at = draw(2) ? draw((uint32_t)used) : tokens - 40 + draw(400);
            image[at % used] = (uint8_t)(draw(2) ? draw(256) : 0);
        }
        if (draw(4) == 0)
            used -= draw(64);
        if (extract(address_of(0))) {
            believed++;
            for (unsigned i = 1; i < table.count; i++)
                assert_true(table.symbols[i - 1].address <= table.symbols[i].address);
            for (unsigned i = 0; i < table.count; i++)
                assert_true(table.symbols[i].name < table.strings_used);
        } else {
            assert_int_equal(table.count, 0);
        }
    }
    assert_in_range(believed, 1, FUZZ_RUNS - 1);
}

/* Memory made to keep the search busy ends it in bounded work: this test ends. */
static void hostile_memory_ends(void **state) {
    (void)state;
    static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";
    seed = 7;
    used = 0;
    while (used + sizeof digits <= IMAGE_BYTES)
        put(digits, sizeof digits);
    assert_false(extract(0));
    /* token tables with a good index above words that look like a count, everywhere */
    size_t tokens = build(1, PLAIN, 0);
    size_t head = used - tokens;
    static uint8_t good[4096];
    memcpy(good, image + tokens, head);
    used = 0;
    while (used + head + 4096 <= IMAGE_BYTES) {
        for (unsigned i = 0; i < 1000; i++)
            put32(1 + i % 200);
        put32(0);
        put(good, head);
        align();
    }
    assert_false(extract(0));
    memset(image, 0, IMAGE_BYTES);
    used = IMAGE_BYTES;
    assert_false(extract(0));
}

static int start(void **state) {
    (void)state;
    image =
        mmap(NULL, IMAGE_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (image == MAP_FAILED || mprotect(image + IMAGE_BYTES, 4096, PROT_NONE) != 0)
        return -1;
    return symtab_create(&table, 16384, 1 << 20) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout),
        cmocka_unit_test(table_of_another_kernel_is_passed_over),
        cmocka_unit_test(seal_tells_a_changed_table),
        cmocka_unit_test(table_larger_than_room_is_refused),
        cmocka_unit_test(damaged_table_is_not_believed),
        cmocka_unit_test(short_memory_holds_nothing),
        cmocka_unit_test(fuzz),
        cmocka_unit_test(hostile_memory_ends),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
