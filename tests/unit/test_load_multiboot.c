/* vmm/load_multiboot.c: ELF and address-header kernels, modules, and damaged files. */
#include "tests/unit/load_bench.h"

enum {
    EHDR = 52,
    PHDR = 32,
    HEADER_AT = EHDR + 2 * PHDR,
    CODE_AT = 256,
    CODE = 32,
    IMAGE = CODE_AT + CODE
};

static uint8_t image[IMAGE];

static void put_header(uint32_t at, uint32_t flags) {
    put32(image + at, 0x1badb002);
    put32(image + at + 4, flags);
    put32(image + at + 8, 0u - 0x1badb002u - flags);
}

static void put_segment(unsigned n, uint32_t offset, uint32_t vaddr, uint32_t paddr,
                        uint32_t filesz, uint32_t memsz) {
    const uint32_t fields[6] = {1, offset, vaddr, paddr, filesz, memsz};
    memcpy(image + EHDR + n * PHDR, fields, sizeof fields);
}

/* An ELF kernel: code at 1 MiB (linked at C0100000), and 4 KiB of zeros at 2 MiB. */
static void make_elf(void) {
    memset(image, 0, sizeof image);
    memcpy(image, "\177ELF\1\1\1", 7);
    put16(image + 16, 2);
    put16(image + 18, 3);
    put32(image + 20, 1);
    put32(image + 24, 0xc0100004);
    put32(image + 28, EHDR);
    put16(image + 42, PHDR);
    put16(image + 44, 2);
    put_segment(0, CODE_AT, 0xc0100000, 0x100000, CODE, CODE + 8);
    put_segment(1, 0, 0xc0200000, 0x200000, 0, 4096);
    put_header(HEADER_AT, 3);
    for (unsigned i = 0; i < CODE; i++)
        image[CODE_AT + i] = (uint8_t)(0x80 + i);
}

/* The same bytes behind an address header: loaded at 1 MiB whole, BSS to 1 MiB + 64 KiB. */
static void make_flat(void) {
    memset(image, 0x5a, sizeof image);
    put_header(HEADER_AT, 0x10003);
    const uint32_t addresses[5] = {0x100000 + HEADER_AT, 0x100000, 0, 0x110000, 0x100010};
    memcpy(image + HEADER_AT + 12, addresses, sizeof addresses);
}

static enum load_status load_size(unsigned size, const struct load_module *modules,
                                  unsigned count) {
    struct load_request r = {.kernel = bench_file(image, size),
                             .kernel_name = "kernel.elf",
                             .cmdline = "a=1 b",
                             .modules = modules,
                             .module_count = count};
    return load_kernel(&vm, &r);
}

static enum load_status load(void) {
    return load_size(IMAGE, NULL, 0);
}

static void elf_segments(void **state) {
    (void)state;
    make_elf();
    memset(vm.mem.ram, 0xee, BENCH_RAM);
    assert_int_equal(load(), LOAD_OK);
    assert_memory_equal(vm.mem.ram + 0x100000, image + CODE_AT, CODE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(vm.mem.ram[0x100000 + CODE + i], 0);
    assert_int_equal(vm.mem.ram[0x100000 + CODE + 8], 0xee);
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(vm.mem.ram[0x200000 + i], 0);
    assert_int_equal(vm.mem.ram[0x201000], 0xee);
}

static void entry_state(void **state) {
    (void)state;
    make_elf();
    assert_int_equal(load(), LOAD_OK);
    const struct vcpu *v = &vm.vcpu;
    assert_int_equal(v->gpr[EAX], 0x2badb002);
    assert_int_equal(v->eip, 0x100004); /* the virtual entry address, translated */
    assert_int_equal(v->cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(vcpu_eflags(v) & (EFL_IF | EFL_VM), 0);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        assert_int_equal(v->seg[i].base, 0);
        assert_int_equal(v->seg[i].limit, 0xffffffff);
    }
    put32(image + 24, 0x100008); /* a physical one stays */
    assert_int_equal(load(), LOAD_OK);
    assert_int_equal(v->eip, 0x100008);
}

static void information(void **state) {
    (void)state;
    make_elf();
    assert_int_equal(load(), LOAD_OK);
    gpa_t info = vm.vcpu.gpr[EBX];
    assert_int_equal(ram32(info), 0x24d);
    assert_int_equal(ram32(info + 4), 639);
    assert_int_equal(ram32(info + 8), BENCH_RAM / 1024 - 1024);
    assert_string_equal((const char *)vm.mem.ram + ram32(info + 16), "kernel.elf a=1 b");
    assert_string_equal((const char *)vm.mem.ram + ram32(info + 64), "ringone");
    assert_int_equal(ram32(info + 20), 0);
    /* the memory map, walked as the specification says */
    uint32_t at = ram32(info + 48), end = at + ram32(info + 44);
    uint64_t usable = 0;
    for (; at < end; at += ram32(at) + 4)
        if (ram32(at + 20) == 1)
            usable += ram32(at + 12);
    assert_int_equal(at, end);
    assert_int_equal(usable, 0x9fc00 + BENCH_RAM - 0x100000);
}

static void modules(void **state) {
    (void)state;
    static const uint8_t first[5000] = {1}, second[3] = {2};
    const struct load_module list[3] = {
        {{first, sizeof first}, "first arg"}, {{second, 3}, "second"}, {{second, 0}, ""}};
    make_elf();
    assert_int_equal(load_size(IMAGE, list, 3), LOAD_OK);
    gpa_t info = vm.vcpu.gpr[EBX];
    assert_int_equal(ram32(info + 20), 3);
    gpa_t mods = ram32(info + 24);
    assert_int_equal(ram32(mods), 0x201000); /* behind the kernel's zeros */
    assert_int_equal(ram32(mods + 4), 0x201000 + 5000);
    assert_string_equal((const char *)vm.mem.ram + ram32(mods + 8), "first arg");
    assert_memory_equal(vm.mem.ram + 0x201000, first, sizeof first);
    assert_int_equal(ram32(mods + 16), 0x203000);
    assert_int_equal(ram32(mods + 20), 0x203003);
    assert_memory_equal(vm.mem.ram + 0x203000, second, 3);
    assert_int_equal(ram32(mods + 32), 0x204000);
}

/* The n-th of some modules that are elsewhere. */
static bool read_elsewhere(void *context, unsigned n, uint8_t *to) {
    *to = (uint8_t)(0x40 + n);
    return n != *(unsigned *)context;
}

static void modules_from_elsewhere(void **state) {
    (void)state;
    static const uint8_t bytes[5000] = {1};
    unsigned missing = 3;
    struct load_module list[3] = {{{bytes, sizeof bytes}, ""}, {{NULL, 9}, ""}, {{NULL, 1}, ""}};
    make_elf();
    struct load_request r = {.kernel = bench_file(image, IMAGE),
                             .kernel_name = "k",
                             .cmdline = "",
                             .modules = list,
                             .module_count = 3,
                             .read_module = read_elsewhere,
                             .context = &missing};
    assert_int_equal(load_kernel(&vm, &r), LOAD_OK);
    assert_int_equal(vm.mem.ram[0x201000], 1);
    assert_int_equal(vm.mem.ram[0x203000], 0x41);
    assert_int_equal(vm.mem.ram[0x204000], 0x42);
    missing = 2;
    assert_int_equal(load_kernel(&vm, &r), LOAD_INITRD_LOST);
}

static void too_big_modules(void **state) {
    (void)state;
    uint8_t *bytes = calloc(1, BENCH_RAM);
    assert_non_null(bytes);
    struct load_module list[2] = {{{bytes, BENCH_RAM - 0x201000}, ""}, {{bytes, 1}, ""}};
    make_elf();
    assert_int_equal(load_size(IMAGE, list, 1), LOAD_OK);
    assert_int_equal(load_size(IMAGE, list, 2), LOAD_INITRD_TOO_BIG);
    list[0].blob.size++;
    assert_int_equal(load_size(IMAGE, list, 1), LOAD_INITRD_TOO_BIG);
    list[0].blob.size = UINT64_MAX;
    assert_int_equal(load_size(IMAGE, list, 1), LOAD_INITRD_TOO_BIG);
    free(bytes);
}

static void long_command_line(void **state) {
    (void)state;
    char *text = malloc(70000);
    assert_non_null(text);
    memset(text, 'x', 70000);
    make_elf();
    struct load_request r = {
        .kernel = bench_file(image, IMAGE), .kernel_name = "k", .cmdline = text};
    text[60000] = '\0';
    assert_int_equal(load_kernel(&vm, &r), LOAD_OK);
    assert_int_equal(load_strlen((const char *)vm.mem.ram + ram32(vm.vcpu.gpr[EBX] + 16)), 60002);
    text[60000] = 'x';
    text[69999] = '\0';
    assert_int_equal(load_kernel(&vm, &r), LOAD_CMDLINE_TOO_LONG);
    struct load_module module = {{image, 1}, text};
    r = (struct load_request){.kernel = bench_file(image, IMAGE),
                              .kernel_name = "k",
                              .cmdline = "",
                              .modules = &module,
                              .module_count = 1};
    assert_int_equal(load_kernel(&vm, &r), LOAD_CMDLINE_TOO_LONG);
    free(text);
}

static void flat_image(void **state) {
    (void)state;
    make_flat();
    memset(vm.mem.ram, 0xee, BENCH_RAM);
    assert_int_equal(load(), LOAD_OK);
    assert_int_equal(vm.vcpu.eip, 0x100010);
    assert_memory_equal(vm.mem.ram + 0x100000, image, IMAGE);
    for (unsigned i = IMAGE; i < 0x10000; i++)
        assert_int_equal(vm.mem.ram[0x100000 + i], 0);
    assert_int_equal(vm.mem.ram[0x110000], 0xee);
}

static void flat_addresses(void **state) {
    (void)state;
    uint8_t *a = image + HEADER_AT + 12;
    make_flat();
    put32(a, 0x100000 - 1); /* header before the load address */
    assert_int_equal(load(), LOAD_MULTIBOOT_ADDRESSES);
    make_flat();
    put32(a, 0x100000 + HEADER_AT + 1); /* load address before the file */
    assert_int_equal(load(), LOAD_MULTIBOOT_ADDRESSES);
    make_flat();
    put32(a + 8, 0x100000 + IMAGE); /* the last byte, and one more */
    assert_int_equal(load(), LOAD_OK);
    put32(a + 8, 0x100000 + IMAGE + 1);
    assert_int_equal(load(), LOAD_TRUNCATED);
    make_flat();
    put32(a + 12, 0x100001); /* zeros end before the data */
    assert_int_equal(load(), LOAD_MULTIBOOT_ADDRESSES);
    make_flat();
    put32(a + 16, 0x110000);
    assert_int_equal(load(), LOAD_ELF_ENTRY);
}

static void refused(void **state) {
    (void)state;
    make_elf();
    put_header(HEADER_AT, 0x8);
    assert_int_equal(load(), LOAD_MULTIBOOT_FEATURE);
    make_elf();
    image[HEADER_AT + 8] ^= 1; /* checksum */
    assert_int_equal(load(), LOAD_UNKNOWN);
    make_elf();
    image[4] = 2;
    assert_int_equal(load(), LOAD_64BIT);
    make_elf();
    image[18] = 8; /* MIPS */
    assert_int_equal(load(), LOAD_ELF_MACHINE);
    make_elf();
    image[0] = 0;
    assert_int_equal(load(), LOAD_ELF_MALFORMED);
    make_elf();
    put16(image + 42, PHDR - 1);
    assert_int_equal(load(), LOAD_ELF_MALFORMED);
    make_elf();
    put_segment(1, 0, 0, 0x200000, 5, 4);
    assert_int_equal(load(), LOAD_ELF_MALFORMED);
    make_elf();
    put32(image + 24, 0x300000);
    assert_int_equal(load(), LOAD_ELF_ENTRY);
}

/* A segment goes below the boot information or above 1 MiB, and ends in RAM. */
static void places(void **state) {
    (void)state;
    static const struct {
        uint32_t paddr, memsz;
        enum load_status wanted;
    } rows[] = {
        {0x90000 - 16, 16, LOAD_OK},
        {0x90000 - 16, 17, LOAD_ELF_PLACE},
        {0xa0000, 1, LOAD_ELF_PLACE},
        {0xfffff, 1, LOAD_ELF_PLACE},
        {0x0fffff, 2, LOAD_ELF_PLACE},
        {BENCH_RAM - 16, 16, LOAD_OK},
        {BENCH_RAM - 16, 17, LOAD_ELF_PLACE},
        {0xfffffff0, 0x20, LOAD_ELF_PLACE}, /* wraps in 32 bits */
        {0x100000, 0xffffffff, LOAD_ELF_PLACE},
        {0xffffffff, 0, LOAD_OK}, /* nothing to place */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_elf();
        put_segment(1, 0, 0, rows[i].paddr, 0, rows[i].memsz);
        assert_int_equal(load(), rows[i].wanted);
    }
}

static void header_in_first_8k(void **state) {
    (void)state;
    static uint8_t big[16384];
    make_flat();
    memcpy(big + 8192 - 32, image + HEADER_AT, 32);
    put32(big + 8192 - 32 + 12, 0x100000 + 8192 - 32);
    struct load_request r = {
        .kernel = bench_file(big, sizeof big), .kernel_name = "k", .cmdline = ""};
    assert_int_equal(load_kernel(&vm, &r), LOAD_OK);
    memset(big, 0, sizeof big);
    memcpy(big + 8192 - 8, image + HEADER_AT, 32);
    r.kernel = bench_file(big, sizeof big);
    assert_int_equal(load_kernel(&vm, &r), LOAD_UNKNOWN);
}

static void truncated_anywhere(void **state) {
    (void)state;
    for (unsigned flat = 0; flat < 2; flat++) {
        if (flat)
            make_flat();
        else
            make_elf();
        put32(image + HEADER_AT + 20, 0x100000 + IMAGE); /* flat: load_end_addr */
        for (unsigned size = 0; size <= IMAGE; size++) {
            enum load_status wanted = size == 0               ? LOAD_EMPTY
                                      : size < HEADER_AT + 12 ? LOAD_UNKNOWN
                                      : size < IMAGE          ? LOAD_TRUNCATED
                                                              : LOAD_OK;
            assert_int_equal(load_size(size, NULL, 0), wanted);
        }
    }
}

static void fuzzed_headers(void **state) {
    (void)state;
    unsigned loaded = 0;
    uint32_t seed = 19950521;
    for (unsigned round = 0; round < 20000; round++) {
        if (round % 2)
            make_flat();
        else
            make_elf();
        uint32_t flags = round % 2 ? 0x10003 : 3;
        for (unsigned n = next_random(&seed) % 4; n < 4; n++) {
            uint32_t r = next_random(&seed);
            image[r % (HEADER_AT + 32)] = (uint8_t)(r >> 24);
        }
        put_header(HEADER_AT, flags);
        if (load() != LOAD_OK)
            continue;
        loaded++;
        assert_in_range(vm.vcpu.eip, 0, BENCH_RAM - 1);
        assert_int_equal(ram32(vm.vcpu.gpr[EBX]), 0x24d); /* no segment lies over it */
    }
    assert_in_range(loaded, 1000, 19000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(elf_segments),
        TEST(entry_state),
        TEST(information),
        TEST(modules),
        TEST(modules_from_elsewhere),
        TEST(too_big_modules),
        TEST(long_command_line),
        TEST(flat_image),
        TEST(flat_addresses),
        TEST(refused),
        TEST(places),
        TEST(header_in_first_8k),
        TEST(truncated_anywhere),
        TEST(fuzzed_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
