/* vmm/msr.c, tsc.c: RDMSR, WRMSR, RDTSC, RDPMC. */
#include "tests/unit/callout_bench.h"
#include "vmm/msr.h"
#include "vmm/tsc.h"

enum {
    TSC = 0x10,
    APIC_BASE = 0x1b,
    TSC_ADJUST = 0x3b,
    PATCH_LEVEL = 0x8b,
    SYSENTER_CS = 0x174,
    SYSENTER_ESP,
    SYSENTER_EIP,
    MISC_ENABLE = 0x1a0,
    DEBUG_CTL = 0x1d9,
    PAT = 0x277,
    MTRR_DEF_TYPE = 0x2ff
};
#define EFER       0xc0000080u
#define STAR       0xc0000081u
#define HWCR       0xc0010015u
#define ONE_SECOND 10000000000ull /* more cycles than a test takes */

static void set(uint32_t index, uint64_t value) {
    cpu.gpr[ECX] = index;
    cpu.gpr[EAX] = (uint32_t)value;
    cpu.gpr[EDX] = (uint32_t)(value >> 32);
}

static enum callout_result wr(uint32_t index, uint64_t value) {
    set(index, value);
    return callout_wrmsr(&cpu, 0);
}

static uint64_t rd(uint32_t index) {
    cpu.gpr[ECX] = index;
    assert_int_equal(callout_rdmsr(&cpu, 0), CALLOUT_NEXT);
    return (uint64_t)cpu.gpr[EDX] << 32 | cpu.gpr[EAX];
}

static void expect_refused(uint32_t index, uint64_t value) {
    set(index, value);
    EXPECT_FAULT(callout_wrmsr(&cpu, 0), VEC_GP, 0);
}

static void sysenter_registers(void **state) {
    (void)state;
    EXPECT_NEXT(wr(SYSENTER_CS, 0x60));
    EXPECT_NEXT(wr(SYSENTER_ESP, 0xc1000000));
    EXPECT_NEXT(wr(SYSENTER_EIP, 0xc0100000));
    assert_int_equal(cpu.sysenter_cs, 0x60);
    assert_int_equal(cpu.sysenter_esp, 0xc1000000);
    assert_int_equal(cpu.sysenter_eip, 0xc0100000);
    assert_int_equal(rd(SYSENTER_CS), 0x60);
    assert_int_equal(rd(SYSENTER_ESP), 0xc1000000);
    assert_int_equal(rd(SYSENTER_EIP), 0xc0100000);
}

static void efer_takes_nxe_only(void **state) {
    (void)state;
    EXPECT_LEAVE(wr(EFER, EFER_NXE));
    assert_int_equal(mmu_events.mode_changes, 1);
    EXPECT_NEXT(wr(EFER, EFER_NXE));
    assert_int_equal(mmu_events.mode_changes, 1);
    assert_int_equal(rd(EFER), EFER_NXE);
    EXPECT_LEAVE(wr(EFER, EFER_NXE | 1u << 21));
    assert_int_equal(mmu_events.mode_changes, 1);
    expect_refused(EFER, EFER_SCE);
    expect_refused(EFER, EFER_LME);
    expect_refused(EFER, 1ull << 32);
}

static void pat_checks_types(void **state) {
    (void)state;
    assert_int_equal(rd(PAT), 0x0007040600070406ull);
    EXPECT_NEXT(wr(PAT, 0x0007010600070106ull));
    assert_int_equal(rd(PAT), 0x0007010600070106ull);
    expect_refused(PAT, 0x0207010600070106ull);
    expect_refused(PAT, 0x0007010600070103ull);
    expect_refused(PAT, 0x0008010600070106ull);
}

static void hwcr_is_storage(void **state) {
    (void)state;
    EXPECT_NEXT(wr(HWCR, 1u << 6));
    assert_int_equal(rd(HWCR), 1u << 6);
    expect_refused(HWCR, 1ull << 40);
}

static void read_only_and_fixed(void **state) {
    (void)state;
    assert_int_equal(rd(PATCH_LEVEL), 0);
    expect_refused(PATCH_LEVEL, 0);
    assert_int_equal(rd(DEBUG_CTL), 0);
    EXPECT_NEXT(wr(DEBUG_CTL, 0));
    expect_refused(DEBUG_CTL, 2);
}

static void absent_registers(void **state) {
    static const uint32_t absent[] = {0, APIC_BASE, MISC_ENABLE, MTRR_DEF_TYPE, STAR, 0xffffffff};

    (void)state;
    for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        expect_refused(absent[i], 0);
        EXPECT_FAULT(callout_rdmsr(&cpu, 0), VEC_GP, 0);
    }
}

static void privileged(void **state) {
    (void)state;
    enter_ring(3);
    expect_refused(SYSENTER_CS, 8);
    EXPECT_FAULT(callout_rdmsr(&cpu, 0), VEC_GP, 0);
}

/* -- time -- */

static uint64_t rdtsc(void) {
    assert_int_equal(callout_rdtsc(&cpu, 0), CALLOUT_NEXT);
    return (uint64_t)cpu.gpr[EDX] << 32 | cpu.gpr[EAX];
}

static void tsc_runs(void **state) {
    (void)state;
    uint64_t a = rdtsc(), b = rdtsc();

    assert_true(b > a);
    assert_true(b - a < ONE_SECOND);
    assert_true(rd(TSC) > b);
}

static void tsc_write_moves_adjust(void **state) {
    uint64_t before = rdtsc();

    (void)state;
    EXPECT_NEXT(wr(TSC, 0x123400000000ull));
    assert_in_range(rdtsc() - 0x123400000000ull, 0, ONE_SECOND);
    assert_in_range(0x123400000000ull - before - rd(TSC_ADJUST), 0, ONE_SECOND);
}

static void adjust_write_moves_tsc(void **state) {
    uint64_t before = rdtsc();

    (void)state;
    assert_int_equal(rd(TSC_ADJUST), 0);
    EXPECT_NEXT(wr(TSC_ADJUST, 1ull << 50));
    assert_in_range(rdtsc() - before - (1ull << 50), 0, ONE_SECOND);
    EXPECT_NEXT(wr(TSC_ADJUST, 0));
    assert_in_range(rdtsc() - before, 0, ONE_SECOND);
}

static void tsd_restricts_rdtsc(void **state) {
    (void)state;
    cpu.cr4 = CR4_TSD;
    rdtsc();
    enter_ring(3);
    EXPECT_FAULT(callout_rdtsc(&cpu, 0), VEC_GP, 0);
    cpu.cr4 = 0;
    rdtsc();
}

static void rdpmc_has_no_counters(void **state) {
    (void)state;
    cpu.cr4 = CR4_PCE;
    EXPECT_FAULT(callout_rdpmc(&cpu, 0), VEC_GP, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(sysenter_registers),
        CALLOUT_TEST(efer_takes_nxe_only),
        CALLOUT_TEST(pat_checks_types),
        CALLOUT_TEST(hwcr_is_storage),
        CALLOUT_TEST(read_only_and_fixed),
        CALLOUT_TEST(absent_registers),
        CALLOUT_TEST(privileged),
        CALLOUT_TEST(tsc_runs),
        CALLOUT_TEST(tsc_write_moves_adjust),
        CALLOUT_TEST(adjust_write_moves_tsc),
        CALLOUT_TEST(tsd_restricts_rdtsc),
        CALLOUT_TEST(rdpmc_has_no_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
