/* vmm/far.c, callgate.c: far JMP, CALL, RET, direct and through call gates. */
#include "tests/unit/cpu_bench.h"

#define OP(size)  ((uint64_t)(size) << 12)
#define MEM(sreg) (1u << 8 | (uint64_t)(sreg) << 9)
#define IMM(x)    ((uint64_t)(x) << 32)

static enum callout_result jmp(uint16_t sel, uint32_t eip) {
    cpu.val = sel;
    return callout_jmp_far(&cpu, OP(4) | IMM(eip));
}

static enum callout_result call(uint16_t sel, uint32_t eip) {
    cpu.val = sel;
    return callout_call_far(&cpu, OP(4) | IMM(eip));
}

static enum callout_result ret(uint32_t params) {
    return callout_ret_far(&cpu, OP(4) | IMM(params));
}

static void push32(uint32_t value) {
    cpu.gpr[ESP] -= 4;
    poke32(cpu.seg_base[SEG_SS] + cpu.gpr[ESP], value);
}

/* -- direct -- */

static void jmp_direct(void **state) {
    (void)state;
    assert_int_equal(jmp(CODE_0, 0x12345678), CALLOUT_EXIT);
    assert_at(CODE_0, 0x12345678);
    assert_int_equal(desc_access(CODE_0), 0x9b);
    enter_ring(3);
    jmp(CONFORMING_0, 0x111);
    assert_at(CONFORMING_0 | 3, 0x111);
}

static void jmp_through_memory(void **state) {
    (void)state;
    cpu.ea = 0x8000;
    poke32(0x8000, 0x12345678);
    poke16(0x8004, CODE_0);
    callout_jmp_far(&cpu, OP(4) | MEM(SEG_DS));
    assert_at(CODE_0, 0x12345678);
    poke16(0x8002, CODE16_0);
    callout_jmp_far(&cpu, OP(2) | MEM(SEG_DS));
    assert_at(CODE16_0, 0x5678);
}

static void jmp_bad_targets(void **state) {
    (void)state;
    EXPECT_FAULT(jmp(2, 0), VEC_GP, 0);
    EXPECT_FAULT(jmp(DATA_0, 0), VEC_GP, DATA_0);
    EXPECT_FAULT(jmp(CODE_3, 0), VEC_GP, CODE_3 & ~3);
    EXPECT_FAULT(jmp(CODE_0 | 1, 0), VEC_GP, CODE_0);
    EXPECT_FAULT(jmp(GDT_LIMIT + 1, 0), VEC_GP, GDT_LIMIT + 1);
    EXPECT_FAULT(jmp(LDT_SEL, 0), VEC_GP, LDT_SEL);
    EXPECT_FAULT(jmp(CODE16_0, 0x10000), VEC_GP, 0);
    put_desc(SPARE, 0, 0xffff, 0x1a, 4);
    EXPECT_FAULT(jmp(SPARE, 0), VEC_NP, SPARE);
    enter_ring(3);
    EXPECT_FAULT(jmp(CODE_0, 0), VEC_GP, CODE_0);
}

static void call_direct(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    assert_int_equal(call(CODE_0, 0x5000), CALLOUT_EXIT);
    assert_at(CODE_0, 0x5000);
    assert_stack(DATA_0, esp - 8);
    assert_int_equal(peek32(esp - 4), CODE_0);
    assert_int_equal(peek32(esp - 8), 0x4002);
    cpu.val = CODE16_0;
    callout_call_far(&cpu, OP(2) | IMM(0x6000));
    assert_at(CODE16_0, 0x6000);
    assert_stack(DATA_0, esp - 12);
}

static void call_stack_faults(void **state) {
    (void)state;
    cpu.seg[SEG_SS].limit = 0x100;
    EXPECT_FAULT(call(CODE_0, 0x5000), VEC_SS, 0);
    force_seg(SEG_SS, DATA_0);
    page_state[(STACK_0 - 0x100) >> 12] = PAGE_READ_ONLY;
    EXPECT_FAULT(call(CODE_0, 0x5000), VEC_PF, PFERR_P | PFERR_W);
}

/* CR2 is that of the push that meets the page, CS going first. */
static void call_page_fault_address(void **state) {
    (void)state;
    page_state[8] = PAGE_ABSENT;
    cpu.gpr[ESP] = 0x9000;
    EXPECT_FAULT(call(CODE_0, 0x5000), VEC_PF, PFERR_W);
    assert_int_equal(cpu.exc.cr2, 0x8ffc);
    cpu.gpr[ESP] = 0x9002;
    EXPECT_FAULT(call(CODE_0, 0x5000), VEC_PF, PFERR_W);
    assert_int_equal(cpu.exc.cr2, 0x8ffe);
    cpu.gpr[ESP] = 0x9004;
    EXPECT_FAULT(call(CODE_0, 0x5000), VEC_PF, PFERR_W);
    assert_int_equal(cpu.exc.cr2, 0x8ffc);
}

static void paragraph_modes(void **state) {
    (void)state;
    enter_v86(0);
    cpu.val = 0x3000;
    callout_call_far(&cpu, OP(2) | IMM(0x44));
    assert_at(0x3000, 0x44);
    assert_int_equal(cpu.seg_base[SEG_CS], 0x30000);
    assert_int_equal(peek16(cpu.seg_base[SEG_SS] + 0x1000 - 2), 0x1000 + SEG_CS);
    assert_int_equal(peek16(cpu.seg_base[SEG_SS] + 0x1000 - 4), 0x102);
    callout_ret_far(&cpu, OP(2));
    assert_at(0x1000 + SEG_CS, 0x102);
    assert_int_equal(cpu.gpr[ESP], 0x1000);
    EXPECT_FAULT(jmp(0x3000, 0x10000), VEC_GP, 0);
}

/* -- call gates -- */

static void gate_to_inner_level_copies_params(void **state) {
    uint32_t esp;

    (void)state;
    enter_ring(3);
    push32(0xaaaa0001);
    push32(0xbbbb0002);
    esp = cpu.gpr[ESP];
    assert_int_equal(call(CALL_GATE32, 0xdeadbeef), CALLOUT_EXIT);
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, STACK_0 - 24);
    assert_int_equal(peek32(STACK_0 - 4), DATA_3);
    assert_int_equal(peek32(STACK_0 - 8), esp);
    assert_int_equal(peek32(STACK_0 - 12), 0xaaaa0001);
    assert_int_equal(peek32(STACK_0 - 16), 0xbbbb0002);
    assert_int_equal(peek32(STACK_0 - 20), CODE_3);
    assert_int_equal(peek32(STACK_0 - 24), 0x4002);

    ret(8); /* and back, dropping the parameters on both stacks */
    assert_at(CODE_3, 0x4002);
    assert_stack(DATA_3, esp + 8);
}

static void gate16_to_inner_level(void **state) {
    (void)state;
    enter_ring(3);
    push32(0xaaaa7777);
    call(CALL_GATE16, 0);
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, STACK_0 - 10);
    assert_int_equal(peek16(STACK_0 - 6), 0x7777);
    assert_int_equal(peek16(STACK_0 - 10), 0x4002);
}

static void gate_same_level(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    call(CALL_GATE32 & ~3, 0);
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, esp - 8);
    jmp(CALL_GATE16 & ~3, 0);
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, esp - 8);
}

static void gate_faults(void **state) {
    uint16_t gate = CALL_GATE32 & ~3;

    (void)state;
    enter_ring(3);
    EXPECT_FAULT(jmp(CALL_GATE32, 0), VEC_GP, CODE_0); /* JMP keeps the level */
    put_gate(GDT + gate, CODE_0, HANDLER, 0x8c, 0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_GP, gate);
    put_gate(GDT + gate, CODE_0, HANDLER, 0x6c, 0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_NP, gate);
    put_gate(GDT + gate, 0, HANDLER, 0xec, 0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_GP, 0);
    put_gate(GDT + gate, DATA_0, HANDLER, 0xec, 0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_GP, DATA_0);
    put_gate(GDT + gate, CODE_0, HANDLER, 0xec, 0);
    poke32(TSS_A + 8, READ_ONLY_0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_TS, READ_ONLY_0);
    poke32(TSS_A + 8, ABSENT_0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_SS, ABSENT_0);
    put_desc(SPARE, 0, 0xfff, 0x92, 4);
    poke32(TSS_A + 8, SPARE);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_SS, SPARE);
    poke32(TSS_A + 8, DATA_0);
    put_gate(GDT + gate, CODE16_0, 0x10000, 0xec, 0);
    EXPECT_FAULT(call(CALL_GATE32, 0), VEC_GP, 0);
}

/* -- RET -- */

static void ret_same_level(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    push32(CODE_0);
    push32(0x7000);
    ret(0x10);
    assert_at(CODE_0, 0x7000);
    assert_stack(DATA_0, esp + 0x10);
}

static void ret_outer_level(void **state) {
    (void)state;
    force_seg(SEG_DS, DATA_3);
    push32(DATA_3);
    push32(0xb000);
    push32(CODE_3);
    push32(0x7000);
    ret(0);
    assert_at(CODE_3, 0x7000);
    assert_stack(DATA_3, 0xb000);
    assert_int_equal(cpu.seg[SEG_DS].sel, DATA_3);
    assert_int_equal(cpu.seg[SEG_ES].attr, 0);
}

static void ret_faults(void **state) {
    (void)state;
    push32(0);
    push32(0x7000);
    EXPECT_FAULT(ret(0), VEC_GP, 0);
    poke32(cpu.gpr[ESP] + 4, DATA_0);
    EXPECT_FAULT(ret(0), VEC_GP, DATA_0);
    poke32(cpu.gpr[ESP] + 4, CODE16_0);
    poke32(cpu.gpr[ESP], 0x10000);
    EXPECT_FAULT(ret(0), VEC_GP, 0);
    poke32(cpu.gpr[ESP] + 4, CODE_3);
    poke32(cpu.gpr[ESP] + 12, DATA_0);
    EXPECT_FAULT(ret(0), VEC_GP, DATA_0);
    page_state[cpu.gpr[ESP] >> 12] = PAGE_ABSENT;
    EXPECT_FAULT(ret(0), VEC_PF, 0);
    page_state[cpu.gpr[ESP] >> 12] = PAGE_OK;
    enter_ring(3);
    push32(CODE_0);
    push32(0x7000);
    EXPECT_FAULT(ret(0), VEC_GP, CODE_0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, bench_reset)
    const struct CMUnitTest tests[] = {
        TEST(jmp_direct),
        TEST(jmp_through_memory),
        TEST(jmp_bad_targets),
        TEST(call_direct),
        TEST(call_stack_faults),
        TEST(call_page_fault_address),
        TEST(paragraph_modes),
        TEST(gate_to_inner_level_copies_params),
        TEST(gate16_to_inner_level),
        TEST(gate_same_level),
        TEST(gate_faults),
        TEST(ret_same_level),
        TEST(ret_outer_level),
        TEST(ret_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
