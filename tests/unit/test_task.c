/* vmm/task.c: hardware task switches by JMP, CALL, IRET, and task gates. */
#include "tests/unit/cpu_bench.h"

#define OP(size) ((uint64_t)(size) << 12)
#define IMM(x)   ((uint64_t)(x) << 32)

enum { BUSY = 0x8b, AVAILABLE = 0x89 };

static enum callout_result jmp(uint16_t sel) {
    cpu.val = sel;
    return callout_jmp_far(&cpu, OP(4));
}

static enum callout_result call(uint16_t sel) {
    cpu.val = sel;
    return callout_call_far(&cpu, OP(4));
}

/* Task B: ring 0 at HANDLER with recognizable registers. */
static void fill_task_b(void) {
    static const uint16_t sel[] = {DATA_0, CODE_0, DATA_0, DATA_3, 0, CONFORMING_0};

    poke32(TSS_B + 0x1c, 0x77000);
    poke32(TSS_B + 0x20, HANDLER);
    poke32(TSS_B + 0x24, EFL_ZF | EFL_ONE);
    for (unsigned i = 0; i < 8; i++)
        poke32(TSS_B + 0x28 + 4 * i, 0xb0000000 + i);
    poke32(TSS_B + 0x28 + 4 * ESP, STACK_1);
    for (unsigned i = 0; i < 6; i++)
        poke32(TSS_B + 0x48 + 4 * i, sel[i]);
    poke32(TSS_B + 0x60, LDT_SEL);
}

static int setup(void **state) {
    bench_reset(state);
    fill_task_b();
    for (unsigned i = 0; i < 8; i++) {
        if (i != ESP)
            cpu.gpr[i] = 0xa0000000 + i;
    }
    return 0;
}

static void assert_in_task_b(void) {
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, STACK_1);
    assert_int_equal(cpu.gpr[EDI], 0xb0000000 + EDI);
    assert_int_equal(cpu.seg[SEG_DS].sel, DATA_3);
    assert_int_equal(cpu.seg[SEG_FS].attr, 0);
    assert_int_equal(cpu.seg[SEG_GS].sel, CONFORMING_0);
    assert_int_equal(cpu.ldtr.sel, LDT_SEL);
    assert_int_equal(cpu.ldtr.base, LDT);
    assert_int_equal(cpu.tr.sel, TSS_B_SEL);
    assert_int_equal(cpu.tr.base, TSS_B);
    assert_int_equal(desc_access(TSS_B_SEL), BUSY);
    assert_true(cpu.cr0 & CR0_TS);
}

static void jmp_saves_and_loads(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    vcpu_set_eflags(&cpu, EFL_CF | EFL_IF, ~0u);
    assert_int_equal(jmp(TSS_B_SEL), CALLOUT_EXIT);
    assert_in_task_b();
    assert_int_equal(vcpu_eflags(&cpu), EFL_ZF | EFL_ONE);
    assert_int_equal(desc_access(TSS_A_SEL), AVAILABLE);
    assert_int_equal(peek32(TSS_A + 0x20), 0x4002);
    assert_int_equal(peek32(TSS_A + 0x24), EFL_CF | EFL_IF | EFL_ONE);
    assert_int_equal(peek32(TSS_A + 0x28), 0xa0000000);
    assert_int_equal(peek32(TSS_A + 0x38), esp);
    assert_int_equal(peek32(TSS_A + 0x4c), CODE_0);
    assert_int_equal(peek32(TSS_A + 0x5c), DATA_0);
    assert_int_equal(mmu_seen.cr3_loads, 0); /* paging is off */
}

static void call_nests_and_iret_returns(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    call(TSS_B_SEL);
    assert_in_task_b();
    assert_int_equal(peek16(TSS_B), TSS_A_SEL);
    assert_int_equal(vcpu_eflags(&cpu), EFL_ZF | EFL_NT | EFL_ONE);
    assert_int_equal(desc_access(TSS_A_SEL), BUSY);

    cpu.next_eip = HANDLER + 1;
    assert_int_equal(callout_iret(&cpu, OP(4)), CALLOUT_EXIT);
    assert_at(CODE_0, 0x4002);
    assert_stack(DATA_0, esp);
    assert_int_equal(cpu.gpr[EBX], 0xa0000000 + EBX);
    assert_int_equal(cpu.tr.sel, TSS_A_SEL);
    assert_int_equal(desc_access(TSS_A_SEL), BUSY);
    assert_int_equal(desc_access(TSS_B_SEL), AVAILABLE);
    assert_int_equal(peek32(TSS_B + 0x20), HANDLER + 1);
    assert_int_equal(peek32(TSS_B + 0x24) & EFL_NT, 0);
}

static void interrupt_through_task_gate(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(VEC_DF, TSS_B_SEL, 0, 0x85);
    put_idt(VEC_GP, 0, 0, 0);
    vcpu_raise_error(&cpu, VEC_GP, 0x18); /* no gate: #GP in #GP, so #DF */
    assert_true(cpu_deliver_pending(&cpu));
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, STACK_1 - 4);
    assert_int_equal(peek32(STACK_1 - 4), 0);
    assert_int_equal(peek32(TSS_A + 0x20), 0x4000); /* a fault: at the instruction */
    assert_int_equal(peek16(TSS_B), TSS_A_SEL);
    assert_true(cpu.sysflags & EFL_NT);
}

static void far_call_through_task_gate(void **state) {
    (void)state;
    enter_ring(3);
    call(TASK_GATE);
    assert_in_task_b();
    assert_int_equal(peek32(TSS_A + 0x4c), CODE_3);
}

static void cr3_is_loaded_with_paging(void **state) {
    (void)state;
    cpu.cr0 |= CR0_PG;
    jmp(TSS_B_SEL);
    assert_in_task_b();
    assert_int_equal(cpu.cr3, 0x77000);
    assert_int_equal(mmu_seen.cr3_loads, 1);
}

static void to_v86_task(void **state) {
    (void)state;
    poke32(TSS_B + 0x24, EFL_VM | EFL_IF | EFL_ONE);
    jmp(TSS_B_SEL);
    assert_at(CODE_0, HANDLER);
    assert_int_equal(cpu.cpl, 3);
    assert_int_equal(cpu.seg_base[SEG_DS], DATA_3 << 4);
    assert_int_equal(cpu.seg[SEG_CS].attr, 0xf3);
}

static void sixteen_bit_tasks(void **state) {
    (void)state;
    poke16(TSS_16 + 0x0e, 0x5000);
    poke16(TSS_16 + 0x10, EFL_CF | EFL_ONE);
    for (unsigned i = 0; i < 8; i++)
        poke16(TSS_16 + 0x12 + 2 * i, (uint16_t)(0xc000 + i));
    poke16(TSS_16 + 0x22, DATA_0);
    poke16(TSS_16 + 0x24, CODE16_0);
    poke16(TSS_16 + 0x26, DATA16_0);
    poke16(TSS_16 + 0x28, DATA_0);
    call(TSS_16_SEL);
    assert_at(CODE16_0, 0x5000);
    assert_int_equal(cpu.gpr[EBX], 0xffffc000 + EBX);
    assert_int_equal(cpu.seg[SEG_GS].attr, 0);
    assert_int_equal(vcpu_eflags(&cpu), EFL_CF | EFL_NT | EFL_ONE);
    assert_int_equal(desc_access(TSS_16_SEL), 0x83);

    cpu.gpr[EDI] = 0x12345678;
    cpu.next_eip = 0x5001;
    callout_iret(&cpu, OP(2));
    assert_at(CODE_0, 0x4002);
    assert_int_equal(peek16(TSS_16 + 0x0e), 0x5001);
    assert_int_equal(peek16(TSS_16 + 0x20), 0x5678);
    assert_int_equal(peek16(TSS_16 + 0x24), CODE16_0);
    assert_int_equal(peek16(TSS_16 + 0x2a), 0); /* the LDT field is not saved */
}

/* -- faults before the switch: nothing changes -- */

static void target_faults(void **state) {
    static uint8_t before[BENCH_BYTES];

    (void)state;
    memcpy(before, memory, sizeof memory);
    EXPECT_FAULT(jmp(TSS_A_SEL), VEC_GP, TSS_A_SEL); /* busy */
    EXPECT_FAULT(jmp(TSS_B_SEL | 1), VEC_GP, TSS_B_SEL);
    EXPECT_FAULT(jmp(TSS_B_SEL | 4), VEC_GP, TSS_B_SEL | 4);
    page_state[TSS_A >> 12] = PAGE_READ_ONLY;
    EXPECT_FAULT(jmp(TSS_B_SEL), VEC_PF, PFERR_P | PFERR_W);
    page_state[TSS_A >> 12] = PAGE_OK;
    page_state[GDT >> 12] = PAGE_READ_ONLY;
    EXPECT_FAULT(jmp(TSS_B_SEL), VEC_PF, PFERR_P | PFERR_W);
    page_state[GDT >> 12] = PAGE_OK;
    assert_memory_equal(before, memory, sizeof memory);

    put_desc(TSS_B_SEL, TSS_B, 0x66, 0x89, 0);
    EXPECT_FAULT(jmp(TSS_B_SEL), VEC_TS, TSS_B_SEL);
    put_desc(TSS_B_SEL, TSS_B, 0x67, 0x09, 0);
    EXPECT_FAULT(jmp(TSS_B_SEL), VEC_NP, TSS_B_SEL);
    enter_ring(3);
    EXPECT_FAULT(jmp(TSS_B_SEL), VEC_GP, TSS_B_SEL);
}

static void nested_return_faults(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_NT, EFL_NT);
    poke16(TSS_A, TSS_B_SEL); /* not busy */
    EXPECT_FAULT(callout_iret(&cpu, OP(4)), VEC_TS, TSS_B_SEL);
    poke16(TSS_A, 0);
    EXPECT_FAULT(callout_iret(&cpu, OP(4)), VEC_TS, 0);
    poke16(TSS_A, GDT_LIMIT + 1);
    EXPECT_FAULT(callout_iret(&cpu, OP(4)), VEC_TS, GDT_LIMIT + 1);
}

/* -- faults after it: the new task's -- */

static void new_task_faults(void **state) {
    static const struct {
        unsigned offset;
        uint16_t sel;
        unsigned vector;
        uint16_t error;
    } bad[] = {
        {0x60, DATA_0, VEC_TS, DATA_0},           /* LDT: not an LDT */
        {0x4c, DATA_0, VEC_TS, DATA_0},           /* CS: not code */
        {0x4c, 0, VEC_TS, 0},                     /* CS: null */
        {0x50, DATA_3, VEC_TS, DATA_3 & ~3},      /* SS: wrong level */
        {0x50, ABSENT_0, VEC_SS, ABSENT_0},       /* SS: not present */
        {0x54, EXEC_ONLY_0, VEC_TS, EXEC_ONLY_0}, /* DS: not readable */
        {0x5c, ABSENT_0, VEC_NP, ABSENT_0},       /* GS: not present */
    };

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setup(state);
        poke32(TSS_B + bad[i].offset, bad[i].sel);
        assert_int_equal(jmp(TSS_B_SEL), CALLOUT_EXIT);
        assert_fault(bad[i].vector, bad[i].error);
        assert_int_equal(cpu.tr.sel, TSS_B_SEL);
        assert_int_equal(cpu.eip, HANDLER);
    }
    setup(state);
    put_desc(SPARE, 0, 0xff, 0x9a, 4);
    poke32(TSS_B + 0x4c, SPARE);
    jmp(TSS_B_SEL);
    assert_fault(VEC_GP, 0); /* EIP beyond the limit */
}

static void trap_bit(void **state) {
    (void)state;
    memory[TSS_B + 0x64] = 1;
    jmp(TSS_B_SEL);
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.eip, HANDLER);
    assert_true(cpu.dr[6] & 0x8000);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(jmp_saves_and_loads),
        TEST(call_nests_and_iret_returns),
        TEST(interrupt_through_task_gate),
        TEST(far_call_through_task_gate),
        TEST(cr3_is_loaded_with_paging),
        TEST(to_v86_task),
        TEST(sixteen_bit_tasks),
        TEST(target_faults),
        TEST(nested_return_faults),
        TEST(new_task_faults),
        TEST(trap_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
