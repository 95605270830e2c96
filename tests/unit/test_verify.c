/* vmm/sys_verify.c: LAR, LSL, VERR, VERW, ARPL. */
#include "tests/unit/callout_bench.h"

#define ARGS (A_REG(EDI) | A_RM(EBX) | A_OP(4))

static bool zf(void) {
    return cpu.flags & EFL_ZF;
}

/* Runs the instruction on selector sel; gives ZF. */
static bool try(callout_fn callout, uint16_t sel) {
    cpu.gpr[EBX] = 0xffff0000u | sel;
    cpu.gpr[EDI] = 0x5a5a5a5a;
    cpu.flags = EFL_CF | EFL_ZF;
    assert_int_equal(callout(&cpu, ARGS), CALLOUT_NEXT);
    assert_true(cpu.flags & EFL_CF);
    if (!zf())
        assert_int_equal(cpu.gpr[EDI], 0x5a5a5a5a);
    return zf();
}

static void lar_gives_access_rights(void **state) {
    (void)state;
    assert_true(try(callout_lar, CODE_0));
    assert_int_equal(cpu.gpr[EDI], 0x00cf9a00);
    assert_true(try(callout_lar, CALL_GATE32));
    assert_int_equal(cpu.gpr[EDI] & 0xff00, 0xec00);
    assert_true(try(callout_lar, TASK_GATE));
    assert_true(try(callout_lar, ABSENT_0)); /* P does not matter */
    cpu.gpr[EBX] = CODE_0;
    cpu.gpr[EDI] = 0x5a5a5a5a;
    EXPECT_NEXT(callout_lar(&cpu, A_REG(EDI) | A_RM(EBX) | A_OP(2)));
    assert_int_equal(cpu.gpr[EDI], 0x5a5a9a00);
}

static void lsl_gives_the_limit(void **state) {
    (void)state;
    assert_true(try(callout_lsl, CODE_0));
    assert_int_equal(cpu.gpr[EDI], 0xffffffff);
    assert_true(try(callout_lsl, TSS_A_SEL));
    assert_int_equal(cpu.gpr[EDI], 0x67);
    assert_true(try(callout_lsl, LDT_SEL));
    assert_int_equal(cpu.gpr[EDI], 0x17);
    assert_false(try(callout_lsl, CALL_GATE32));
    assert_false(try(callout_lsl, TASK_GATE));
}

/* Every system type (SDM vol. 2A, tables 3-52 and 3-54). */
static void system_types(void **state) {
    (void)state;
    for (unsigned type = 0; type < 16; type++) {
        put_desc(SPARE, 0, 0x10, (uint8_t)(0x80 | type), 0);
        assert_int_equal(try(callout_lar, SPARE), 0x1a3e >> type & 1);
        assert_int_equal(try(callout_lsl, SPARE), 0x0a0e >> type & 1);
        assert_false(try(callout_verr, SPARE));
        assert_false(try(callout_verw, SPARE));
    }
}

static void code_and_data_types(void **state) {
    (void)state;
    for (unsigned type = 0; type < 16; type++) {
        bool code = type & 8, rw = type & 2;

        put_desc(SPARE, 0, 0x10, (uint8_t)(0x90 | type), 0);
        assert_true(try(callout_lar, SPARE));
        assert_true(try(callout_lsl, SPARE));
        assert_int_equal(try(callout_verr, SPARE), !code || rw);
        assert_int_equal(try(callout_verw, SPARE), !code && rw);
    }
}

static void bad_selectors_clear_zf(void **state) {
    static const callout_fn all[] = {callout_lar, callout_lsl, callout_verr, callout_verw};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_false(try(all[i], 0));
        assert_false(try(all[i], 3));
        assert_false(try(all[i], GDT_LIMIT + 1));
        assert_false(try(all[i], 0xfff8));
        assert_false(try(all[i], 0x0c)); /* no LDT */
    }
    cpu.gdtr.limit = DATA_0 + 6;
    assert_false(try(callout_verr, DATA_0));
    cpu.gdtr.limit = DATA_0 + 7;
    assert_true(try(callout_verr, DATA_0));
}

static void ldt_is_searched(void **state) {
    (void)state;
    cpu.ldtr = (struct seg){.sel = LDT_SEL, .attr = 0x82, .base = LDT, .limit = 0xf};
    put_desc(0x0c, 0, 0x42, 0xf2, 0);
    assert_true(try(callout_lsl, 0x0c));
    assert_int_equal(cpu.gpr[EDI], 0x42);
    assert_false(try(callout_lsl, 0x14));
}

static void privilege(void **state) {
    (void)state;
    assert_true(try(callout_verr, DATA_0));
    assert_false(try(callout_verr, DATA_0 | 3));
    assert_true(try(callout_lar, CONFORMING_0 | 3));
    enter_ring(3);
    assert_false(try(callout_verr, DATA_0));
    assert_false(try(callout_lsl, TSS_A_SEL));
    assert_true(try(callout_verr, CONFORMING_0));
    assert_true(try(callout_verw, DATA_3));
}

static void operand_and_table_can_fault(void **state) {
    (void)state;
    cpu.ea = 0x30000;
    poke16(0x30000, DATA_0);
    EXPECT_NEXT(callout_verr(&cpu, A_MEM(SEG_DS)));
    assert_true(zf());
    page_state[0x30] = PAGE_ABSENT;
    EXPECT_FAULT(callout_verr(&cpu, A_MEM(SEG_DS)), VEC_PF, 0);
    page_state[0x30] = PAGE_OK;
    page_state[GDT >> 12] = PAGE_ABSENT;
    EXPECT_FAULT(callout_verr(&cpu, A_MEM(SEG_DS)), VEC_PF, 0);
}

static void undefined_outside_protected_mode(void **state) {
    static const callout_fn all[] = {callout_lar, callout_lsl, callout_verr, callout_verw,
                                     callout_arpl};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        callout_bench_reset(NULL);
        cpu.cr0 = CR0_ET;
        EXPECT_FAULT(all[i](&cpu, ARGS), VEC_UD, -1);
        cpu.cr0 = CR0_ET | CR0_PE;
        enter_v86(3);
        EXPECT_FAULT(all[i](&cpu, ARGS), VEC_UD, -1);
    }
}

/* -- ARPL -- */

static void arpl_raises_rpl(void **state) {
    (void)state;
    for (unsigned rpl = 0; rpl < 4; rpl++) {
        for (unsigned other = 0; other < 4; other++) {
            cpu.gpr[EBX] = 0x12340050 | rpl;
            cpu.gpr[EDI] = 0x60 | other;
            EXPECT_NEXT(callout_arpl(&cpu, ARGS));
            assert_int_equal(zf(), rpl < other);
            assert_int_equal(cpu.gpr[EBX], 0x12340050 | (rpl < other ? other : rpl));
        }
    }
}

static void arpl_in_memory(void **state) {
    (void)state;
    cpu.ea = 0x30000;
    cpu.gpr[EDI] = 3;
    poke16(0x30000, 0x50);
    page_state[0x30] = PAGE_READ_ONLY;
    EXPECT_FAULT(callout_arpl(&cpu, A_REG(EDI) | A_MEM(SEG_DS)), VEC_PF, PFERR_P | PFERR_W);
    page_state[0x30] = PAGE_CODE;
    EXPECT_LEAVE(callout_arpl(&cpu, A_REG(EDI) | A_MEM(SEG_DS)));
    assert_int_equal(peek16(0x30000), 0x53);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(lar_gives_access_rights),
        CALLOUT_TEST(lsl_gives_the_limit),
        CALLOUT_TEST(system_types),
        CALLOUT_TEST(code_and_data_types),
        CALLOUT_TEST(bad_selectors_clear_zf),
        CALLOUT_TEST(ldt_is_searched),
        CALLOUT_TEST(privilege),
        CALLOUT_TEST(operand_and_table_can_fault),
        CALLOUT_TEST(undefined_outside_protected_mode),
        CALLOUT_TEST(arpl_raises_rpl),
        CALLOUT_TEST(arpl_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
