/* vmm/flags_ops.c: CLI, STI, PUSHF, POPF at every privilege. */
#include "tests/unit/callout_bench.h"

#define IOPL(n)  ((uint32_t)(n) << 12)
#define ALL_BITS 0xffffffffu

static uint32_t popf(uint32_t image, unsigned size) {
    cpu.gpr[ESP] -= size;
    memcpy(memory + cpu.seg_base[SEG_SS] + cpu.gpr[ESP], &image, size);
    (void)callout_popf(&cpu, A_OP(size));
    assert_false(cpu.exc.pending);
    return vcpu_eflags(&cpu);
}

static void cli_sti_by_iopl(void **state) {
    static const unsigned rings[] = {0, 1, 3};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned iopl = 0; iopl < 4; iopl++) {
            enter_ring(rings[i]);
            vcpu_set_eflags(&cpu, IOPL(iopl) | EFL_IF, ~0u);
            if (rings[i] > iopl) {
                EXPECT_FAULT(callout_cli(&cpu, 0), VEC_GP, 0);
                EXPECT_FAULT(callout_sti(&cpu, 0), VEC_GP, 0);
                continue;
            }
            EXPECT_NEXT(callout_cli(&cpu, 0));
            assert_int_equal(vcpu_eflags(&cpu), IOPL(iopl) | EFL_ONE);
            cpu.shadow = SHADOW_NONE;
            EXPECT_LEAVE(callout_sti(&cpu, 0));
            assert_int_equal(cpu.shadow, SHADOW_STI);
            assert_int_equal(vcpu_eflags(&cpu), IOPL(iopl) | EFL_IF | EFL_ONE);
        }
    }
}

/* Only an STI that switches interrupts on holds them off. */
static void sti_with_if_set(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_IF, EFL_IF);
    EXPECT_NEXT(callout_sti(&cpu, 0));
    assert_int_equal(cpu.shadow, SHADOW_NONE);
}

static void v86_needs_iopl3(void **state) {
    static const callout_fn all[] = {callout_cli, callout_sti, callout_pushf, callout_popf};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        enter_v86(2);
        EXPECT_FAULT(all[i](&cpu, A_OP(2)), VEC_GP, 0);
        enter_v86(3);
        EXPECT_NEXT(callout_cli(&cpu, 0));
    }
}

static void pushf_image(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    vcpu_set_eflags(&cpu, EFL_RF | EFL_AC | EFL_IF | EFL_CF | EFL_NT | IOPL(1), ~0u);
    EXPECT_NEXT(callout_pushf(&cpu, A_OP(4)));
    assert_int_equal(peek32(esp - 4), EFL_AC | EFL_IF | EFL_CF | EFL_NT | IOPL(1) | EFL_ONE);
    EXPECT_NEXT(callout_pushf(&cpu, A_OP(2)));
    assert_int_equal(peek16(esp - 6), EFL_IF | EFL_CF | EFL_NT | IOPL(1) | EFL_ONE);
    assert_int_equal(cpu.gpr[ESP], esp - 6);
}

static void stack_faults(void **state) {
    (void)state;
    page_state[(cpu.gpr[ESP] - 4) >> 12] = PAGE_ABSENT;
    EXPECT_FAULT(callout_pushf(&cpu, A_OP(4)), VEC_PF, PFERR_W);
    EXPECT_FAULT(callout_popf(&cpu, A_OP(4)), VEC_PF, 0);
}

#define ANY (EFL_LIVE | EFL_TF | EFL_NT | EFL_AC | EFL_ID)

static void popf_at_cpl0(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_RF, ~0u);
    assert_int_equal(popf(ALL_BITS, 4), ANY | EFL_IOPL | EFL_IF | EFL_ONE);
    assert_int_equal(popf(0, 4), EFL_ONE);
    assert_int_equal(popf(ALL_BITS, 2), EFL_LIVE | EFL_TF | EFL_NT | EFL_IOPL | EFL_IF | EFL_ONE);
}

static void popf16_keeps_the_upper_half(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_AC | EFL_ID | EFL_RF, ~0u);
    assert_int_equal(popf(EFL_CF, 2), EFL_AC | EFL_ID | EFL_RF | EFL_CF | EFL_ONE);
}

static void popf_at_cpl3(void **state) {
    (void)state;
    enter_ring(3);
    vcpu_set_eflags(&cpu, IOPL(2), ~0u);
    assert_int_equal(popf(ALL_BITS, 4), ANY | IOPL(2) | EFL_ONE);
    vcpu_set_eflags(&cpu, IOPL(2) | EFL_IF, ~0u);
    assert_int_equal(popf(0, 4), IOPL(2) | EFL_IF | EFL_ONE);
    vcpu_set_eflags(&cpu, IOPL(3) | EFL_IF, ~0u);
    assert_int_equal(popf(0, 4), IOPL(3) | EFL_ONE);
}

static void popf_in_v86(void **state) {
    (void)state;
    enter_v86(3);
    assert_int_equal(popf(0, 2), EFL_VM | IOPL(3) | EFL_ONE);
    assert_int_equal(popf(ALL_BITS, 4), EFL_VM | ANY | IOPL(3) | EFL_IF | EFL_ONE);
}

static void put_image(uint32_t image) {
    cpu.gpr[ESP] -= 4;
    poke32(cpu.gpr[ESP], image);
}

static void popf_leaves_when_it_matters(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, 0, ~0u);
    put_image(EFL_CF | EFL_DF);
    EXPECT_NEXT(callout_popf(&cpu, A_OP(4)));
    put_image(EFL_IF);
    EXPECT_LEAVE(callout_popf(&cpu, A_OP(4)));
    assert_int_equal(cpu.shadow, SHADOW_NONE);
    put_image(EFL_IF);
    EXPECT_NEXT(callout_popf(&cpu, A_OP(4)));
    put_image(0);
    EXPECT_NEXT(callout_popf(&cpu, A_OP(4)));
    put_image(EFL_TF);
    EXPECT_LEAVE(callout_popf(&cpu, A_OP(4)));
    put_image(EFL_AC);
    EXPECT_LEAVE(callout_popf(&cpu, A_OP(4)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(cli_sti_by_iopl),
        CALLOUT_TEST(sti_with_if_set),
        CALLOUT_TEST(v86_needs_iopl3),
        CALLOUT_TEST(pushf_image),
        CALLOUT_TEST(stack_faults),
        CALLOUT_TEST(popf_at_cpl0),
        CALLOUT_TEST(popf16_keeps_the_upper_half),
        CALLOUT_TEST(popf_at_cpl3),
        CALLOUT_TEST(popf_in_v86),
        CALLOUT_TEST(popf_leaves_when_it_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
