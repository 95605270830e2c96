/* vmm/cpuid.c: what the guest is told about its CPU. */
#include <cpuid.h>

#include "tests/unit/callout_bench.h"
#include "vmm/cpuid.h"

static struct cpuid_regs ask(uint32_t leaf, uint32_t subleaf) {
    cpu.gpr[EAX] = leaf;
    cpu.gpr[ECX] = subleaf;
    assert_int_equal(callout_cpuid(&cpu, 0), CALLOUT_NEXT);
    return (struct cpuid_regs){cpu.gpr[EAX], cpu.gpr[EBX], cpu.gpr[ECX], cpu.gpr[EDX]};
}

static void vendor_and_signature(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct cpuid_regs r = ask(i ? 0x80000000u : 0, 0);
        char vendor[13] = {0};

        memcpy(vendor, &r.ebx, 4);
        memcpy(vendor + 4, &r.edx, 4);
        memcpy(vendor + 8, &r.ecx, 4);
        assert_string_equal(vendor, "AuthenticAMD");
    }
    uint32_t signature = ask(1, 0).eax;

    assert_int_equal((signature >> 8 & 15) + (signature >> 20 & 255), 15);
    assert_int_equal(ask(0x80000001, 0).eax, signature);
    assert_int_equal(cpu.gpr[EAX], signature);
}

static void brand_string(void **state) {
    char brand[49] = {0};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct cpuid_regs r = ask(0x80000002u + i, 0);

        memcpy(brand + 16 * i, &r, 16);
    }
    assert_string_equal(brand, "ringone virtual CPU");
}

/* What is not done must not be offered, whatever the host has. */
static void hidden_features(void **state) {
    (void)state;
    struct cpuid_regs one = ask(1, 0);

    assert_int_equal(one.ecx & (1u << 3 | 1u << 5 | 1u << 12 | 1u << 13 | 1u << 17 | 1u << 21 |
                                1u << 24 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31),
                     0);
    assert_int_equal(one.edx & (1u << 1 | 1u << 7 | 1u << 9 | 1u << 12 | 1u << 14 | 1u << 28), 0);

    struct cpuid_regs ext = ask(0x80000001, 0);

    assert_int_equal(ext.edx & (1u << 11 | 1u << 26 | 1u << 27 | 1u << 29 | 1u << 30 | 1u << 31),
                     0);
    assert_int_equal(ext.ecx & (1u << 0 | 1u << 2 | 1u << 5 | 1u << 6), 0);
}

static void offered_features(void **state) {
    static const unsigned edx[] = {0, 2, 3, 4, 5, 6, 8, 11, 13, 15, 23, 24, 25, 26};

    (void)state;
    struct cpuid_regs one = ask(1, 0);

    for (unsigned i = 0; i < sizeof edx / sizeof edx[0]; i++)
        assert_true(one.edx >> edx[i] & 1);
    assert_true(ask(0x80000001, 0).edx >> 20 & 1);
    assert_true(ask(0x80000007, 0).edx >> 8 & 1);
}

static void masked_by_the_host(void **state) {
    unsigned eax, ebx, ecx = 0, edx;

    (void)state;
    assert_true(__get_cpuid(1, &eax, &ebx, &ecx, &edx));
    assert_int_equal(ask(1, 0).ecx & ~ecx, 0);

    memset(&cpu.host_features, 0, sizeof cpu.host_features);
    cpu.host_features.valid = true;
    assert_int_equal(ask(1, 0).ecx, 0);
    assert_int_equal(ask(1, 0).edx & (1u << 25 | 1u << 26 | 1u << 23), 0);
}

static void absent_leaves_read_zero(void **state) {
    static const uint32_t absent[] = {2,          5,          8,          0xb,        0xd,
                                      0x40000000, 0x80000009, 0x8000001d, 0x80000022, 0xffffffff};

    (void)state;
    for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        struct cpuid_regs r = ask(absent[i], 0);

        assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
    }
    assert_int_equal(ask(7, 0).ebx, 2);
    assert_int_equal(ask(7, 1).ebx, 0);
}

static void limits_are_leaves(void **state) {
    (void)state;
    struct cpuid_regs last = ask(ask(0x80000000, 0).eax, 0);

    assert_int_not_equal(last.eax | last.ebx | last.ecx | last.edx, 0);
    last = ask(ask(0, 0).eax, 0);
    assert_int_not_equal(last.eax | last.ebx | last.ecx | last.edx, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(vendor_and_signature), CALLOUT_TEST(brand_string),
        CALLOUT_TEST(hidden_features),      CALLOUT_TEST(offered_features),
        CALLOUT_TEST(masked_by_the_host),   CALLOUT_TEST(absent_leaves_read_zero),
        CALLOUT_TEST(limits_are_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
