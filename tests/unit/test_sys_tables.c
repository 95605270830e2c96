/* vmm/sys_tables.c: LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR. */
#include "tests/unit/callout_bench.h"

enum { OPERAND = 0x30000 };
#define MEM32 (A_MEM(SEG_DS) | A_OP(4))
#define MEM16 (A_MEM(SEG_DS) | A_OP(2))

static void put_pseudo(uint16_t limit, uint32_t base) {
    cpu.ea = OPERAND;
    poke16(OPERAND, limit);
    poke32(OPERAND + 2, base);
}

static void load_tables(void **state) {
    (void)state;
    put_pseudo(0x1234, 0x89abcdef);
    EXPECT_NEXT(callout_lgdt(&cpu, MEM32));
    assert_int_equal(cpu.gdtr.limit, 0x1234);
    assert_int_equal(cpu.gdtr.base, 0x89abcdef);
    EXPECT_NEXT(callout_lidt(&cpu, MEM16));
    assert_int_equal(cpu.idtr.limit, 0x1234);
    assert_int_equal(cpu.idtr.base, 0x00abcdef);
}

static void load_tables_faults(void **state) {
    (void)state;
    put_pseudo(0x1234, 0);
    EXPECT_FAULT(callout_lgdt(&cpu, A_RM(EAX)), VEC_UD, -1);
    cpu.ea = OPERAND + 0xffd; /* the last three bytes are on an absent page */
    page_state[(OPERAND >> 12) + 1] = PAGE_ABSENT;
    EXPECT_FAULT(callout_lgdt(&cpu, MEM32), VEC_PF, 0);
    enter_ring(3);
    EXPECT_FAULT(callout_lgdt(&cpu, MEM32), VEC_GP, 0);
    EXPECT_FAULT(callout_lidt(&cpu, MEM32), VEC_GP, 0);
}

static void store_tables(void **state) {
    (void)state;
    cpu.gdtr = (struct dtable){0x89abcdef, 0x1234};
    enter_ring(3);
    cpu.ea = OPERAND;
    EXPECT_NEXT(callout_sgdt(&cpu, MEM16));
    assert_int_equal(peek16(OPERAND), 0x1234);
    assert_int_equal(peek32(OPERAND + 2), 0x89abcdef);
    cpu.idtr = (struct dtable){0x11111111, 0x7ff};
    EXPECT_NEXT(callout_sidt(&cpu, MEM32));
    assert_int_equal(peek32(OPERAND + 2), 0x11111111);
    EXPECT_FAULT(callout_sidt(&cpu, A_RM(EAX)), VEC_UD, -1);
    page_state[OPERAND >> 12] = PAGE_READ_ONLY;
    EXPECT_FAULT(callout_sgdt(&cpu, MEM32), VEC_PF, PFERR_P | PFERR_W | PFERR_U);
    page_state[OPERAND >> 12] = PAGE_CODE;
    EXPECT_LEAVE(callout_sgdt(&cpu, MEM32));
}

/* -- LLDT and LTR -- */

static enum callout_result with_sel(callout_fn callout, uint16_t sel) {
    cpu.gpr[EBX] = sel;
    return callout(&cpu, A_RM(EBX));
}

/* The selector is set before, so that the comparison sees only what the callout does. */
#define EXPECT_SEL_FAULT(callout, sel, vector, error)                                              \
    do {                                                                                           \
        cpu.gpr[EBX] = (sel);                                                                      \
        EXPECT_FAULT(with_sel(callout, sel), vector, error);                                       \
    } while (0)

static void lldt_loads(void **state) {
    (void)state;
    EXPECT_NEXT(with_sel(callout_lldt, LDT_SEL));
    assert_int_equal(cpu.ldtr.sel, LDT_SEL);
    assert_int_equal(cpu.ldtr.base, LDT);
    assert_int_equal(cpu.ldtr.limit, 0x17);
    EXPECT_NEXT(with_sel(callout_lldt, 2));
    assert_int_equal(cpu.ldtr.sel, 2);
    assert_int_equal(cpu.ldtr.attr, 0);
}

static void lldt_checks(void **state) {
    (void)state;
    EXPECT_SEL_FAULT(callout_lldt, LDT_SEL | 4, VEC_GP, LDT_SEL | 4);
    EXPECT_SEL_FAULT(callout_lldt, DATA_0, VEC_GP, DATA_0);
    EXPECT_SEL_FAULT(callout_lldt, TSS_B_SEL, VEC_GP, TSS_B_SEL);
    EXPECT_SEL_FAULT(callout_lldt, 0x1003, VEC_GP, 0x1000);
    put_desc(SPARE, 0, 7, 0x02, 0);
    EXPECT_SEL_FAULT(callout_lldt, SPARE, VEC_NP, SPARE);
}

static void ltr_loads_and_marks_busy(void **state) {
    (void)state;
    EXPECT_NEXT(with_sel(callout_ltr, TSS_B_SEL));
    assert_int_equal(cpu.tr.sel, TSS_B_SEL);
    assert_int_equal(cpu.tr.base, TSS_B);
    assert_int_equal(cpu.tr.attr & 0xff, 0x8b);
    assert_int_equal(desc_access(TSS_B_SEL), 0x8b);
    EXPECT_SEL_FAULT(callout_ltr, TSS_B_SEL, VEC_GP, TSS_B_SEL);
    EXPECT_NEXT(with_sel(callout_ltr, TSS_16_SEL));
    assert_int_equal(desc_access(TSS_16_SEL), 0x83);
}

static void ltr_checks(void **state) {
    (void)state;
    EXPECT_SEL_FAULT(callout_ltr, 0, VEC_GP, 0);
    EXPECT_SEL_FAULT(callout_ltr, TSS_B_SEL | 4, VEC_GP, TSS_B_SEL | 4);
    EXPECT_SEL_FAULT(callout_ltr, LDT_SEL, VEC_GP, LDT_SEL);
    put_desc(SPARE, 0, 0x67, 0x09, 0);
    EXPECT_SEL_FAULT(callout_ltr, SPARE, VEC_NP, SPARE);
    page_state[GDT >> 12] = PAGE_READ_ONLY;
    EXPECT_SEL_FAULT(callout_ltr, TSS_B_SEL, VEC_PF, PFERR_P | PFERR_W);
}

static void stores_of_selectors(void **state) {
    (void)state;
    cpu.ldtr.sel = 0x58;
    cpu.gpr[ECX] = 0xaaaaaaaa;
    EXPECT_NEXT(callout_sldt(&cpu, A_RM(ECX) | A_OP(4)));
    assert_int_equal(cpu.gpr[ECX], 0x58);
    cpu.gpr[ECX] = 0xaaaaaaaa;
    enter_ring(3);
    EXPECT_NEXT(callout_str(&cpu, A_RM(ECX) | A_OP(2)));
    assert_int_equal(cpu.gpr[ECX], 0xaaaa0000 | TSS_A_SEL);
    poke32(OPERAND, 0xbbbbbbbb);
    cpu.ea = OPERAND;
    EXPECT_NEXT(callout_str(&cpu, MEM32));
    assert_int_equal(peek32(OPERAND), 0xbbbb0000 | TSS_A_SEL);
}

static void modes_and_privilege(void **state) {
    static const callout_fn all[] = {callout_lldt, callout_ltr, callout_sldt, callout_str};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        callout_bench_reset(NULL);
        cpu.cr0 = CR0_ET;
        EXPECT_FAULT(all[i](&cpu, A_OP(2)), VEC_UD, -1);
        cpu.cr0 |= CR0_PE;
        enter_v86(3);
        EXPECT_FAULT(all[i](&cpu, A_OP(2)), VEC_UD, -1);
    }
    callout_bench_reset(NULL);
    enter_ring(3);
    EXPECT_FAULT(callout_lldt(&cpu, A_OP(2)), VEC_GP, 0);
    EXPECT_FAULT(callout_ltr(&cpu, A_OP(2)), VEC_GP, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(load_tables),         CALLOUT_TEST(load_tables_faults),
        CALLOUT_TEST(store_tables),        CALLOUT_TEST(lldt_loads),
        CALLOUT_TEST(lldt_checks),         CALLOUT_TEST(ltr_loads_and_marks_busy),
        CALLOUT_TEST(ltr_checks),          CALLOUT_TEST(stores_of_selectors),
        CALLOUT_TEST(modes_and_privilege),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
