/* vmm/debug_trap.c and bt/single.c: which breakpoints match, and when #DB is raised. */
#include "bt/bt_priv.h"
#include "tests/unit/cpu_bench.h"
#include "vmm/debug_trap.h"

enum { ON_EXECUTION, ON_WRITE, ON_IO, ON_ACCESS };

/* Breakpoint i, enabled locally; length 1, 2, 4 or 8. */
static void arm(unsigned i, uint32_t address, unsigned condition, unsigned length) {
    unsigned code = length == 8 ? 2 : length - 1;

    cpu.dr[i] = address;
    cpu.dr[7] &= ~(0xfu << (16 + 4 * i));
    cpu.dr[7] |= 1u << (2 * i) | (condition | code << 2) << (16 + 4 * i);
    debug_dr7_changed(&cpu);
}

static unsigned access_hits(gla_t gla, uint32_t n, bool write) {
    cpu.dr6_hits = 0;
    debug_note_access(&cpu, gla, n, write);
    return cpu.dr6_hits;
}

static void data_lengths(void **state) {
    static const unsigned lengths[] = {1, 2, 4, 8};

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        arm(0, 0x1007, ON_ACCESS, lengths[k]); /* aligned down to the length */

        uint32_t start = 0x1007 & ~(lengths[k] - 1);

        for (uint32_t at = 0xff0; at < 0x1010; at++) {
            for (uint32_t n = 1; n <= 16; n++) {
                bool overlap = at < start + lengths[k] && start < at + n;

                assert_int_equal(access_hits(at, n, false), overlap);
            }
        }
    }
}

static void data_conditions(void **state) {
    (void)state;
    assert_false(cpu.watching);
    arm(0, 0x1000, ON_EXECUTION, 1);
    arm(1, 0x1000, ON_IO, 1);
    assert_false(cpu.watching);
    arm(2, 0x1000, ON_WRITE, 4);
    arm(3, 0x1000, ON_ACCESS, 4);
    assert_true(cpu.watching);
    assert_int_equal(access_hits(0x1003, 1, false), 8);
    assert_int_equal(access_hits(0x1003, 1, true), 12);
    cpu.dr[7] &= ~(1u << 6);
    assert_int_equal(access_hits(0x1003, 1, true), 4);
    cpu.dr[7] &= ~(1u << 4);
    debug_dr7_changed(&cpu);
    assert_false(cpu.watching);
}

static void data_wraps(void **state) {
    (void)state;
    arm(0, 0, ON_ACCESS, 4);
    assert_int_equal(access_hits(0xfffffffe, 2, false), 0);
    assert_int_equal(access_hits(0xfffffffe, 4, false), 1);
    arm(0, 0xfffffffc, ON_ACCESS, 4);
    assert_int_equal(access_hits(0, 4, false), 0);
    assert_int_equal(access_hits(0xffffffff, 4, false), 1);
}

static void code_matches(void **state) {
    (void)state;
    arm(0, 0x2000, ON_EXECUTION, 1);
    arm(1, 0x2000, ON_ACCESS, 1);
    arm(3, 0x2000, ON_EXECUTION, 1);
    assert_int_equal(debug_code_hits(&cpu, 0x2000), 9);
    assert_int_equal(debug_code_hits(&cpu, 0x2001), 0);
    assert_int_equal(access_hits(0x2000, 1, false), 2);
}

/* -- around an instruction -- */

static void breakpoint_before(void **state) {
    (void)state;
    cpu.eip = 0x2000;
    cpu.seg[SEG_CS].base = 0x10000;
    arm(0, 0x12000, ON_EXECUTION, 1);
    assert_true(single_begin(&cpu, true)); /* RF */
    cpu.shadow = SHADOW_MOV_SS;
    assert_true(single_begin(&cpu, false));
    cpu.shadow = SHADOW_STI;
    assert_false(single_begin(&cpu, false));
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.dr[6], 0xffff0ff1);
}

static void traps_behind(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_TF, EFL_TF);
    arm(1, 0x1000, ON_WRITE, 1);
    assert_true(single_begin(&cpu, false));
    vcpu_set_eflags(&cpu, 0, EFL_TF); /* POPF: the step is due all the same */
    debug_note_access(&cpu, 0x1000, 1, true);
    single_end(&cpu, false, SHADOW_NONE);
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.dr[6], 0xffff4ff2);
    assert_false(cpu.stepping);
    assert_int_equal(cpu.dr6_hits, 0);
}

static void load_of_ss_defers(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_TF, EFL_TF);
    arm(1, 0x1000, ON_ACCESS, 1);
    assert_true(single_begin(&cpu, false));
    debug_note_access(&cpu, 0x1000, 2, false);
    cpu.shadow = SHADOW_MOV_SS;
    single_end(&cpu, false, SHADOW_NONE);
    assert_false(cpu.exc.pending);
    vcpu_set_eflags(&cpu, 0, EFL_TF);
    assert_true(single_begin(&cpu, false));
    single_end(&cpu, false, SHADOW_MOV_SS);
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.dr[6], 0xffff0ff2); /* the data access, no step */
    assert_int_equal(cpu.shadow, SHADOW_NONE);
}

/* An instruction that has to be translated anew keeps RF and is not stepped over. */
static void not_run_keeps_all(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_TF, EFL_TF);
    cpu.shadow = SHADOW_STI;
    assert_true(single_begin(&cpu, true));
    cpu.not_run = true;
    single_end(&cpu, true, SHADOW_STI);
    assert_false(cpu.exc.pending);
    assert_true(cpu.sysflags & EFL_RF);
    assert_int_equal(cpu.shadow, SHADOW_STI);
    assert_true(single_begin(&cpu, true));
    single_end(&cpu, true, SHADOW_STI);
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.dr[6], 0xffff4ff0);
}

static void delivery_ends_the_step(void **state) {
    (void)state;
    put_idt(0x40, CODE_0, HANDLER, 0x8e);
    cpu.stepping = true;
    assert_true(cpu_deliver(&cpu, 0x40, EVENT_EXTERNAL, false, 0));
    assert_false(cpu.stepping);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, bench_reset)
    const struct CMUnitTest tests[] = {
        TEST(data_lengths),      TEST(data_conditions),   TEST(data_wraps),
        TEST(code_matches),      TEST(breakpoint_before), TEST(traps_behind),
        TEST(load_of_ss_defers), TEST(not_run_keeps_all), TEST(delivery_ends_the_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
