/* vmm/iret.c: returns to the same and outer levels, to virtual-8086 mode, in real mode. */
#include "tests/unit/cpu_bench.h"

#define OP(size) ((uint64_t)(size) << 12)

static enum callout_result iret32(void) {
    return callout_iret(&cpu, OP(4));
}

static void push32(uint32_t value) {
    cpu.gpr[ESP] -= 4;
    poke32(cpu.seg_base[SEG_SS] + cpu.gpr[ESP], value);
}

static void push16(uint16_t value) {
    cpu.gpr[ESP] -= 2;
    poke16(cpu.seg_base[SEG_SS] + cpu.gpr[ESP], value);
}

static void push_frame(uint32_t eflags, uint16_t cs, uint32_t eip) {
    push32(eflags);
    push32(0xabcd0000u | cs); /* the upper half of the slot does not count */
    push32(eip);
}

static void same_level(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    push_frame(EFL_IF | EFL_ZF | EFL_AC, CODE_0, 0x7777);
    cpu.nmi_blocked = true;
    assert_int_equal(iret32(), CALLOUT_EXIT);
    assert_at(CODE_0, 0x7777);
    assert_stack(DATA_0, esp);
    assert_int_equal(vcpu_eflags(&cpu), EFL_IF | EFL_ZF | EFL_AC | EFL_ONE);
    assert_false(cpu.nmi_blocked);
}

static void same_level_16(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    vcpu_set_eflags(&cpu, EFL_AC, EFL_AC);
    push16(EFL_IF | EFL_CF);
    push16(CODE16_0);
    push16(0x1234);
    assert_int_equal(callout_iret(&cpu, OP(2)), CALLOUT_EXIT);
    assert_at(CODE16_0, 0x1234);
    assert_stack(DATA_0, esp);
    assert_int_equal(vcpu_eflags(&cpu), EFL_IF | EFL_CF | EFL_AC | EFL_ONE);
}

static void outer_level(void **state) {
    (void)state;
    force_seg(SEG_FS, DATA_0);
    force_seg(SEG_DS, DATA_3);
    push32(DATA_3);
    push32(0xb000);
    push_frame(EFL_IF | EFL_IOPL, CODE_3, 0x8888);
    assert_int_equal(iret32(), CALLOUT_EXIT);
    assert_at(CODE_3, 0x8888);
    assert_stack(DATA_3, 0xb000);
    assert_int_equal(vcpu_eflags(&cpu), EFL_IF | EFL_IOPL | EFL_ONE);
    assert_int_equal(cpu.seg[SEG_DS].sel, DATA_3);
    assert_int_equal(cpu.seg[SEG_FS].sel, 0);
    assert_int_equal(cpu.seg[SEG_FS].attr, 0);
    assert_false(cpu.prefill);
}

static void outer_level_to_16_bit_stack(void **state) {
    uint32_t high = cpu.gpr[ESP] & 0xffff0000;

    (void)state;
    push32(DATA16_3);
    push32(0x5555b000);
    push_frame(0, CODE_3, 0x8888);
    assert_int_equal(iret32(), CALLOUT_EXIT);
    assert_stack(DATA16_3, high | 0xb000);
}

static void prefill_after_page_fault(void **state) {
    (void)state;
    cpu.pf_delivered = true;
    push_frame(0, CODE_0, 0x100);
    iret32();
    assert_false(cpu.prefill); /* nested return in the handler */
    push32(DATA_3);
    push32(0xb000);
    push_frame(0, CODE_3, 0x8888);
    iret32();
    assert_true(cpu.prefill);
    assert_false(cpu.pf_delivered);
}

static void flags_by_privilege(void **state) {
    (void)state;
    enter_ring(3);
    push_frame(EFL_IF | EFL_IOPL | EFL_VM | 3u << 19 | EFL_CF, CODE_3, 0x8888);
    iret32();
    assert_at(CODE_3, 0x8888);
    assert_int_equal(vcpu_eflags(&cpu), EFL_CF | EFL_ONE);
    vcpu_set_eflags(&cpu, EFL_IOPL, EFL_IOPL);
    push_frame(EFL_IF, CODE_3, 0x8888);
    iret32();
    assert_int_equal(vcpu_eflags(&cpu), EFL_IF | EFL_IOPL | EFL_ONE);
}

static void bad_code_segment(void **state) {
    static const struct {
        uint16_t sel;
        unsigned vector;
        uint16_t error;
    } bad[] = {
        {3, VEC_GP, 0},
        {DATA_0, VEC_GP, DATA_0},
        {CODE_0 | 1, VEC_GP, CODE_0}, /* DPL below RPL, not conforming */
        {SPARE, VEC_NP, SPARE},       /* not present (set up below) */
        {GDT_LIMIT + 1, VEC_GP, GDT_LIMIT + 1},
        {0x0c, VEC_GP, 0x0c},
    };

    (void)state;
    put_desc(SPARE, 0, 0xffff, 0x1a, 4);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        push_frame(EFL_IF, bad[i].sel, 0x100);
        EXPECT_FAULT(iret32(), bad[i].vector, bad[i].error);
    }
    enter_ring(3);
    push_frame(EFL_IF, CODE_0, 0x100);
    EXPECT_FAULT(iret32(), VEC_GP, CODE_0);
}

static void bad_outer_stack(void **state) {
    static const struct {
        uint16_t sel;
        unsigned vector;
        uint16_t error;
    } bad[] = {
        {3, VEC_GP, 0},
        {DATA_0, VEC_GP, DATA_0},
        {DATA_3 & ~3, VEC_GP, DATA_3 & ~3},
        {CODE_3, VEC_GP, CODE_3 & ~3},
        {SPARE | 3, VEC_SS, SPARE},
    };

    (void)state;
    put_desc(SPARE, 0, 0xffff, 0x72, 4);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        push32(bad[i].sel);
        push32(0xb000);
        push_frame(EFL_IF, CODE_3, 0x100);
        EXPECT_FAULT(iret32(), bad[i].vector, bad[i].error);
    }
}

static void eip_beyond_limit(void **state) {
    (void)state;
    push32(DATA_3);
    push32(0xb000);
    push_frame(EFL_IF, SMALL_CODE_3, 0x1000);
    EXPECT_FAULT(iret32(), VEC_GP, 0);
    push_frame(EFL_IF, CODE16_0, 0x10000);
    EXPECT_FAULT(iret32(), VEC_GP, 0);
}

static void stack_limit(void **state) {
    (void)state;
    push_frame(EFL_IF, CODE_0, 0x100);
    cpu.seg[SEG_SS].limit = cpu.gpr[ESP] + 10;
    EXPECT_FAULT(iret32(), VEC_SS, 0);
}

static void to_v86(void **state) {
    (void)state;
    push32(0x5000);     /* GS */
    push32(0x4000);     /* FS */
    push32(0x3000);     /* DS */
    push32(0x2000);     /* ES */
    push32(0x1000);     /* SS */
    push32(0x1234fffe); /* ESP */
    push_frame(EFL_VM | EFL_IF | EFL_IOPL | 3u << 19, 0x6000, 0x55);
    assert_int_equal(iret32(), CALLOUT_EXIT);
    assert_at(0x6000, 0x55);
    assert_stack(0x1000, 0x1234fffe);
    assert_int_equal(vcpu_eflags(&cpu), EFL_VM | EFL_IF | EFL_IOPL | EFL_ONE);
    assert_int_equal(cpu.seg_base[SEG_CS], 0x60000);
    assert_int_equal(cpu.seg_base[SEG_ES], 0x20000);
    assert_int_equal(cpu.seg_base[SEG_DS], 0x30000);
    assert_int_equal(cpu.seg_base[SEG_FS], 0x40000);
    assert_int_equal(cpu.seg_base[SEG_GS], 0x50000);
    assert_int_equal(cpu.seg[SEG_SS].attr, 0xf3);
    assert_int_equal(cpu.seg[SEG_SS].limit, 0xffff);
}

static void to_v86_checks_eip(void **state) {
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        push32(0);
    push_frame(EFL_VM, 0, 0x10000);
    EXPECT_FAULT(iret32(), VEC_GP, 0);
}

static void in_v86(void **state) {
    (void)state;
    enter_v86(3);
    push16(EFL_CF);
    push16(0x1200);
    push16(0x34);
    assert_int_equal(callout_iret(&cpu, OP(2)), CALLOUT_EXIT);
    assert_at(0x1200, 0x34);
    assert_int_equal(vcpu_eflags(&cpu), EFL_VM | EFL_IOPL | EFL_CF | EFL_ONE);
    enter_v86(2);
    push16(0);
    push16(0x1200);
    push16(0x34);
    EXPECT_FAULT(callout_iret(&cpu, OP(2)), VEC_GP, 0);
}

static void in_real_mode(void **state) {
    (void)state;
    cpu.cr0 &= ~CR0_PE;
    cpu.seg[SEG_CS].limit = 0xffff;
    push16(EFL_IF | EFL_IOPL | EFL_NT);
    push16(0x1200);
    push16(0x34);
    assert_int_equal(callout_iret(&cpu, OP(2)), CALLOUT_EXIT);
    assert_int_equal(cpu.seg_base[SEG_CS], 0x12000);
    assert_int_equal(cpu.eip, 0x34);
    assert_int_equal(vcpu_eflags(&cpu), EFL_IF | EFL_IOPL | EFL_NT | EFL_ONE);
    push_frame(0, 0x1200, 0x10000);
    EXPECT_FAULT(iret32(), VEC_GP, 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, bench_reset)
    const struct CMUnitTest tests[] = {
        TEST(same_level),
        TEST(same_level_16),
        TEST(outer_level),
        TEST(outer_level_to_16_bit_stack),
        TEST(prefill_after_page_fault),
        TEST(flags_by_privilege),
        TEST(bad_code_segment),
        TEST(bad_outer_stack),
        TEST(eip_beyond_limit),
        TEST(stack_limit),
        TEST(to_v86),
        TEST(to_v86_checks_eip),
        TEST(in_v86),
        TEST(in_real_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
