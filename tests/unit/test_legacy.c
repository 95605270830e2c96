/* vmm/legacy.c: PUSHA, POPA, ENTER and the callouts that only fault. */
#include "tests/unit/callout_bench.h"

static void fill_registers(void) {
    for (unsigned reg = EAX; reg <= EDI; reg++) {
        if (reg != ESP)
            cpu.gpr[reg] = 0x10101010u * (reg + 1);
    }
}

static void small_stack(uint32_t esp) {
    force_seg(SEG_SS, DATA16_0);
    cpu.gpr[ESP] = esp;
}

/* -- PUSHA and POPA -- */

static void pusha32(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    fill_registers();
    EXPECT_NEXT(callout_pusha(&cpu, A_OP(4)));
    assert_int_equal(cpu.gpr[ESP], esp - 32);
    for (unsigned reg = EAX; reg <= EDI; reg++)
        assert_int_equal(peek32(esp - 4 - 4 * reg), reg == ESP ? esp : 0x10101010u * (reg + 1));
}

static void pusha16_wraps(void **state) {
    (void)state;
    fill_registers();
    small_stack(0x55550008);
    EXPECT_NEXT(callout_pusha(&cpu, A_OP(2)));
    assert_int_equal(cpu.gpr[ESP], 0x5555fff8);
    assert_int_equal(peek16(6), 0x1010);
    assert_int_equal(peek16(0xfffe), 0x0008);
    assert_int_equal(peek16(0xfff8), 0x8080);
}

static void popa_restores_all_but_esp(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    fill_registers();
    assert_int_equal(callout_pusha(&cpu, A_OP(4)), CALLOUT_NEXT);
    poke32(esp - 20, 0xdead); /* the image of ESP is ignored */
    memset(cpu.gpr, 0, 4 * sizeof cpu.gpr[0]);
    EXPECT_NEXT(callout_popa(&cpu, A_OP(4)));
    assert_int_equal(cpu.gpr[ESP], esp);
    assert_int_equal(cpu.gpr[EAX], 0x10101010);
    assert_int_equal(cpu.gpr[EBX], 0x40404040);
    assert_int_equal(cpu.gpr[EDI], 0x80808080);
}

static void popa16_merges(void **state) {
    (void)state;
    fill_registers();
    small_stack(0x5555fff8);
    poke16(0xfff8, 0x1111);
    poke16(0x0006, 0x2222);
    EXPECT_NEXT(callout_popa(&cpu, A_OP(2)));
    assert_int_equal(cpu.gpr[EDI], 0x80801111);
    assert_int_equal(cpu.gpr[EAX], 0x10102222);
    assert_int_equal(cpu.gpr[ESP], 0x55550008);
}

static void faults_change_nothing(void **state) {
    (void)state;
    cpu.gpr[ESP] = 0x9010;
    fill_registers();
    page_state[8] = PAGE_ABSENT;
    EXPECT_FAULT(callout_pusha(&cpu, A_OP(4)), VEC_PF, PFERR_W);
    assert_int_equal(peek32(0x900c), 0);
    cpu.gpr[ESP] = 0x7ff0;
    EXPECT_FAULT(callout_popa(&cpu, A_OP(4)), VEC_PF, 0);
    cpu.seg[SEG_SS].limit = 0x7fff;
    EXPECT_FAULT(callout_popa(&cpu, A_OP(4)), VEC_SS, 0);
}

/* -- ENTER -- */

#define ENTER(bytes, level) (A_IMM(bytes) | A_IMM8(level))

static void enter_level_0(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    cpu.gpr[EBP] = 0x12345678;
    EXPECT_NEXT(callout_enter(&cpu, ENTER(0x20, 0) | A_OP(4)));
    assert_int_equal(peek32(esp - 4), 0x12345678);
    assert_int_equal(cpu.gpr[EBP], esp - 4);
    assert_int_equal(cpu.gpr[ESP], esp - 4 - 0x20);
}

static void enter_copies_the_display(void **state) {
    uint32_t esp = cpu.gpr[ESP], bp = esp + 0x80;

    (void)state;
    cpu.gpr[EBP] = bp;
    poke32(bp - 4, 0xaaaa0001);
    poke32(bp - 8, 0xaaaa0002);
    EXPECT_NEXT(callout_enter(&cpu, ENTER(8, 32 + 3) | A_OP(4))); /* level modulo 32 */
    assert_int_equal(peek32(esp - 4), bp);
    assert_int_equal(peek32(esp - 8), 0xaaaa0001);
    assert_int_equal(peek32(esp - 12), 0xaaaa0002);
    assert_int_equal(peek32(esp - 16), esp - 4);
    assert_int_equal(cpu.gpr[EBP], esp - 4);
    assert_int_equal(cpu.gpr[ESP], esp - 16 - 8);
}

static void enter_16_bit(void **state) {
    (void)state;
    small_stack(0x77771000);
    cpu.gpr[EBP] = 0x66660800;
    poke16(0x7fe, 0x4321);
    EXPECT_NEXT(callout_enter(&cpu, ENTER(4, 2) | A_OP(2)));
    assert_int_equal(peek16(0xffe), 0x0800);
    assert_int_equal(peek16(0xffc), 0x4321);
    assert_int_equal(peek16(0xffa), 0x0ffe);
    assert_int_equal(cpu.gpr[EBP], 0x66660ffe);
    assert_int_equal(cpu.gpr[ESP], 0x77770ff6);
}

static void enter_faults(void **state) {
    (void)state;
    cpu.gpr[ESP] = 0x9010;
    cpu.gpr[EBP] = 0xb000;
    page_state[8] = PAGE_ABSENT;
    EXPECT_FAULT(callout_enter(&cpu, ENTER(0, 5) | A_OP(4)), VEC_PF, PFERR_W);
    /* the pushes fit, the frame they make room for does not */
    EXPECT_FAULT(callout_enter(&cpu, ENTER(0x100, 0) | A_OP(4)), VEC_PF, PFERR_W);
    assert_int_equal(peek32(0x900c), 0);
    page_state[0xa] = PAGE_ABSENT;
    EXPECT_FAULT(callout_enter(&cpu, ENTER(0, 2) | A_OP(4)), VEC_PF, 0);
}

/* -- faults -- */

static void faulting_callouts(void **state) {
    (void)state;
    EXPECT_FAULT(callout_undefined(&cpu, 0), VEC_UD, -1);
    EXPECT_FAULT(callout_ud(&cpu, 0), VEC_UD, -1);
    EXPECT_FAULT(callout_nm(&cpu, 0), VEC_NM, -1);
    EXPECT_FAULT(callout_gp(&cpu, 0), VEC_GP, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(pusha32),
        CALLOUT_TEST(pusha16_wraps),
        CALLOUT_TEST(popa_restores_all_but_esp),
        CALLOUT_TEST(popa16_merges),
        CALLOUT_TEST(faults_change_nothing),
        CALLOUT_TEST(enter_level_0),
        CALLOUT_TEST(enter_copies_the_display),
        CALLOUT_TEST(enter_16_bit),
        CALLOUT_TEST(enter_faults),
        CALLOUT_TEST(faulting_callouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
