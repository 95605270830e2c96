/* vmm/load_linux.c: the 32-bit boot protocol, with headers of every age, damaged and cut short. */
#include "tests/unit/load_bench.h"

enum { SETUP = 2 * 512, PAYLOAD = 64, IMAGE = SETUP + PAYLOAD };

static uint8_t image[IMAGE];

/* A bzImage of protocol 2.12 with one setup sector. */
static void make_image(void) {
    memset(image, 0, sizeof image);
    for (unsigned i = 0; i < PAYLOAD; i++)
        image[SETUP + i] = (uint8_t)(0x40 + i);
    image[0x1f1] = 1;
    put32(image + 0x1f4, PAYLOAD / 16);
    put16(image + 0x1fe, 0xaa55);
    image[0x200] = 0xeb;
    image[0x201] = 0x268 - 0x202;
    memcpy(image + 0x202, "HdrS", 4);
    put16(image + 0x206, 0x20c);
    image[0x211] = 1;
    put32(image + 0x214, 0x100000);
    put32(image + 0x22c, 0x7fffffff);
    put32(image + 0x230, 0x100000);
    image[0x234] = 1;
    put32(image + 0x238, 63);
    put32(image + 0x258, 0x400000);
    put32(image + 0x260, 0x200000);
}

static enum load_status load_with(const char *cmdline, const struct load_module *initrd) {
    struct load_request r = {.kernel = bench_file(image, sizeof image),
                             .kernel_name = "k",
                             .cmdline = cmdline,
                             .modules = initrd,
                             .module_count = initrd != NULL};
    return load_kernel(&vm, &r);
}

static enum load_status load(void) {
    return load_with("", NULL);
}

static void entry_state(void **state) {
    (void)state;
    make_image();
    assert_int_equal(load(), LOAD_OK);
    const struct vcpu *v = &vm.vcpu;
    assert_int_equal(v->eip, 0x100000);
    assert_int_equal(v->cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(vcpu_eflags(v), EFL_ONE);
    assert_int_equal(v->cpl, 0);
    assert_int_equal(v->gpr[EBP] | v->gpr[EDI] | v->gpr[EBX], 0);
    assert_int_equal(v->seg[SEG_CS].sel, 0x10);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        if (i != SEG_CS)
            assert_int_equal(v->seg[i].sel, 0x18);
        assert_int_equal(v->seg[i].base, 0);
        assert_int_equal(v->seg[i].limit, 0xffffffff);
        assert_int_equal(v->seg[i].attr & SEG_CODE, i == SEG_CS ? SEG_CODE : 0);
    }
    /* the descriptors behind the selectors say the same */
    assert_int_equal(v->gdtr.limit, 31);
    assert_int_equal(ram32(v->gdtr.base + 0x10), 0x0000ffff);
    assert_int_equal(ram32(v->gdtr.base + 0x14), 0x00cf9b00);
    assert_int_equal(ram32(v->gdtr.base + 0x18), 0x0000ffff);
    assert_int_equal(ram32(v->gdtr.base + 0x1c), 0x00cf9300);
}

static void payload_and_params(void **state) {
    (void)state;
    make_image();
    memset(vm.mem.ram, 0xee, 0x90000);
    assert_int_equal(load_with("console=ttyS0", NULL), LOAD_OK);
    assert_memory_equal(vm.mem.ram + 0x100000, image + SETUP, PAYLOAD);
    const uint8_t *params = vm.mem.ram + vm.vcpu.gpr[ESI];
    assert_memory_equal(params + 0x202, "HdrS", 4);
    assert_int_equal(load_u16(params + 0x206), 0x20c);
    assert_int_equal(params[0x210], 0xff);
    assert_string_equal((const char *)vm.mem.ram + load_u32(params + 0x228), "console=ttyS0");
    assert_int_equal(load_u32(params + 0x218), 0);
    assert_int_equal(load_u32(params + 0x21c), 0);
    /* the rest of the page is clear: no screen, nothing left of what was there */
    for (unsigned i = 4; i < 0x1e0; i++)
        assert_int_equal(params[i], 0);
    for (unsigned i = 0x2d0 + 4 * 20; i < 4096; i++)
        assert_int_equal(params[i], 0);
}

static void memory_map(void **state) {
    (void)state;
    static const uint64_t wanted[4][3] = {{0, 0x9fc00, 1},
                                          {0x9fc00, 0x400, 2},
                                          {0xe0000, 0x20000, 2},
                                          {0x100000, BENCH_RAM - 0x100000, 1}};
    make_image();
    assert_int_equal(load(), LOAD_OK);
    gpa_t params = vm.vcpu.gpr[ESI];
    assert_int_equal(vm.mem.ram[params + 0x1e8], 4);
    for (unsigned i = 0; i < 4; i++) {
        gpa_t at = params + 0x2d0 + 20 * i;
        assert_int_equal(ram32(at) | (uint64_t)ram32(at + 4) << 32, wanted[i][0]);
        assert_int_equal(ram32(at + 8) | (uint64_t)ram32(at + 12) << 32, wanted[i][1]);
        assert_int_equal(ram32(at + 16), wanted[i][2]);
    }
    assert_int_equal(ram32(params + 0x1e0), (BENCH_RAM >> 10) - 1024);
    assert_int_equal(ram32(0x40e) & 0xffff, 0x9fc0);
    assert_int_equal(ram32(0x413) & 0xffff, 639);
}

static void initrd_at_top(void **state) {
    (void)state;
    static const uint8_t bytes[5000] = {1, 2, 3};
    struct load_module initrd = {{bytes, sizeof bytes}, ""};
    make_image();
    assert_int_equal(load_with("", &initrd), LOAD_OK);
    const uint8_t *params = vm.mem.ram + vm.vcpu.gpr[ESI];
    assert_int_equal(load_u32(params + 0x218), BENCH_RAM - 0x2000);
    assert_int_equal(load_u32(params + 0x21c), sizeof bytes);
    assert_memory_equal(vm.mem.ram + BENCH_RAM - 0x2000, bytes, sizeof bytes);

    put32(image + 0x22c, 0x7fffff); /* not above 8 MiB */
    assert_int_equal(load_with("", &initrd), LOAD_OK);
    assert_int_equal(load_u32(vm.mem.ram + vm.vcpu.gpr[ESI] + 0x218), 0x7fe000);
}

/* An initrd that is elsewhere: bytes of its number, or none. */
static bool read_elsewhere(void *context, unsigned n, uint8_t *to) {
    uint64_t *size = context;
    memset(to, (int)n + 7, *size);
    return *size != 1;
}

static void initrd_from_elsewhere(void **state) {
    (void)state;
    uint64_t size = 5000;
    struct load_module initrd = {{NULL, size}, ""};
    make_image();
    struct load_request r = {.kernel = bench_file(image, sizeof image),
                             .kernel_name = "k",
                             .cmdline = "",
                             .modules = &initrd,
                             .module_count = 1,
                             .read_module = read_elsewhere,
                             .context = &size};
    assert_int_equal(load_kernel(&vm, &r), LOAD_OK);
    const uint8_t *at = vm.mem.ram + load_u32(vm.mem.ram + vm.vcpu.gpr[ESI] + 0x218);
    assert_int_equal(at[0], 7);
    assert_int_equal(at[size - 1], 7);
    assert_int_equal(at[size], 0);
    initrd.blob.size = size = 1;
    assert_int_equal(load_kernel(&vm, &r), LOAD_INITRD_LOST);
}

/* The kernel unpacks at 4 MiB and needs 2 MiB: an initrd may begin at 6 MiB and not a page below.
 */
static void initrd_above_kernel(void **state) {
    (void)state;
    uint8_t *bytes = calloc(1, BENCH_RAM);
    assert_non_null(bytes);
    struct load_module initrd = {{bytes, BENCH_RAM - 0x600000}, ""};
    make_image();
    assert_int_equal(load_with("", &initrd), LOAD_OK);
    initrd.blob.size++;
    assert_int_equal(load_with("", &initrd), LOAD_INITRD_TOO_BIG);
    initrd.blob.size = (uint64_t)1 << 40;
    assert_int_equal(load_with("", &initrd), LOAD_INITRD_TOO_BIG);
    free(bytes);
}

static void one_initrd(void **state) {
    (void)state;
    struct load_module two[2] = {{{image, 1}, ""}, {{image, 1}, ""}};
    struct load_request r = {.kernel = bench_file(image, IMAGE),
                             .kernel_name = "k",
                             .cmdline = "",
                             .modules = two,
                             .module_count = 2};
    make_image();
    r.kernel = bench_file(image, IMAGE);
    assert_int_equal(load_kernel(&vm, &r), LOAD_LINUX_INITRDS);
}

static void cmdline_limit(void **state) {
    (void)state;
    char text[300];
    memset(text, 'a', sizeof text);
    make_image();
    text[63] = '\0';
    assert_int_equal(load_with(text, NULL), LOAD_OK);
    text[63] = 'a';
    text[64] = '\0';
    assert_int_equal(load_with(text, NULL), LOAD_CMDLINE_TOO_LONG);
    put16(image + 0x206, 0x205); /* no cmdline_size yet */
    text[64] = 'a';
    text[255] = '\0';
    assert_int_equal(load_with(text, NULL), LOAD_OK);
    text[255] = 'a';
    text[256] = '\0';
    assert_int_equal(load_with(text, NULL), LOAD_CMDLINE_TOO_LONG);
}

static void refused(void **state) {
    (void)state;
    make_image();
    put16(image + 0x206, 0x201);
    assert_int_equal(load(), LOAD_LINUX_OLD);
    make_image();
    image[0x211] = 0;
    assert_int_equal(load(), LOAD_LINUX_LOW);
    make_image();
    image[0x236] = 1;
    assert_int_equal(load(), LOAD_64BIT);
    put16(image + 0x206, 0x20b); /* before 2.12 the field means nothing */
    assert_int_equal(load(), LOAD_OK);
    make_image();
    put32(image + 0x260, BENCH_RAM - 0x400000);
    assert_int_equal(load(), LOAD_OK);
    put32(image + 0x260, BENCH_RAM - 0x400000 + 1);
    assert_int_equal(load(), LOAD_KERNEL_TOO_BIG);
    make_image();
    put32(image + 0x25c, 1);
    assert_int_equal(load(), LOAD_KERNEL_TOO_BIG);
    make_image();
    put32(image + 0x1f4, PAYLOAD / 16 + 1);
    assert_int_equal(load(), LOAD_TRUNCATED);
    make_image();
    image[0x201] = 0x20; /* the header ends before the fields of its version */
    assert_int_equal(load(), LOAD_TRUNCATED);
}

/* Protocol 2.02 has no initrd_addr_max: such a file's bytes there mean nothing. */
static void old_protocol(void **state) {
    (void)state;
    static const uint8_t byte = 7;
    struct load_module initrd = {{&byte, 1}, ""};
    make_image();
    put16(image + 0x206, 0x202);
    image[0x201] = 0x22c - 0x202;
    memset(image + 0x22c, 0, 0x40);
    assert_int_equal(load_with("", &initrd), LOAD_OK);
    assert_int_equal(load_u32(vm.mem.ram + vm.vcpu.gpr[ESI] + 0x218), BENCH_RAM - 0x1000);
    assert_int_equal(load_u32(vm.mem.ram + vm.vcpu.gpr[ESI] + 0x22c), 0);
}

static void truncated_anywhere(void **state) {
    (void)state;
    make_image();
    for (unsigned size = 0; size < IMAGE; size++) {
        struct load_request r = {
            .kernel = bench_file(image, size), .kernel_name = "k", .cmdline = ""};
        enum load_status s = load_kernel(&vm, &r);
        enum load_status wanted = size == 0      ? LOAD_EMPTY
                                  : size < 0x208 ? LOAD_UNKNOWN
                                                 : LOAD_TRUNCATED;
        /* syssize is rounded up: up to 15 bytes may be missing at the end */
        if (size + 15 >= IMAGE)
            wanted = LOAD_OK;
        assert_int_equal(s, wanted);
    }
}

static void fuzzed_header(void **state) {
    (void)state;
    static const uint8_t byte = 7;
    struct load_module initrd = {{&byte, 1}, ""};
    unsigned loaded = 0;
    uint32_t seed = 20220701;
    for (unsigned round = 0; round < 20000; round++) {
        make_image();
        for (unsigned n = next_random(&seed) % 4; n < 4; n++) {
            uint32_t r = next_random(&seed);
            image[0x1f1 + r % (0x268 - 0x1f1)] = (uint8_t)(r >> 24);
        }
        if (load_with("", &initrd) != LOAD_OK)
            continue;
        loaded++;
        const uint8_t *params = vm.mem.ram + vm.vcpu.gpr[ESI];
        uint32_t at = load_u32(params + 0x218);
        assert_in_range(at, 0x100000 + 1, BENCH_RAM - 1);
        assert_int_equal(vm.mem.ram[at], 7);
        assert_int_equal(load_u32(params + 0x21c), 1);
        vm.mem.ram[at] = 0;
    }
    assert_in_range(loaded, 1000, 19000); /* both outcomes were tried */
}

static void every_status_has_a_text(void **state) {
    (void)state;
    for (unsigned s = 0; s <= LOAD_STATUS_COUNT; s++)
        assert_non_null(load_status_text((enum load_status)s));
    assert_string_not_equal(load_status_text(LOAD_64BIT), load_status_text(LOAD_EMPTY));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_start, bench_end)
    const struct CMUnitTest tests[] = {
        TEST(entry_state),
        TEST(payload_and_params),
        TEST(memory_map),
        TEST(initrd_at_top),
        TEST(initrd_from_elsewhere),
        TEST(initrd_above_kernel),
        TEST(one_initrd),
        TEST(cmdline_limit),
        TEST(refused),
        TEST(old_protocol),
        TEST(truncated_anywhere),
        TEST(fuzzed_header),
        TEST(every_status_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
