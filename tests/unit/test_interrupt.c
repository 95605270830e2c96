/* vmm/interrupt.c, softint.c, sysenter.c: events through the IDT and the ways around it. */
#include "tests/unit/cpu_bench.h"

#include "vmm/interrupt.h"

#define OP(size) ((uint64_t)(size) << 12)
#define IMM(x)   ((uint64_t)(x) << 32)

enum { INT32 = 0x8e, TRAP32 = 0x8f, TRAP32_USER = 0xef, INT16 = 0x86, TASK = 0x85 };

static bool deliver(unsigned vector, enum event_kind kind) {
    return cpu_deliver(&cpu, vector, kind, false, 0);
}

/* -- gates -- */

static void same_level_interrupt_gate(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    put_idt(0x20, CODE_0, 0x12345678, INT32);
    vcpu_set_eflags(&cpu, EFL_IF | EFL_TF | EFL_NT | EFL_CF, ~0u);
    cpu.halted = true;
    assert_true(deliver(0x20, EVENT_EXTERNAL));
    assert_at(CODE_0, 0x12345678);
    assert_stack(DATA_0, esp - 12);
    assert_int_equal(peek32(esp - 4), EFL_IF | EFL_TF | EFL_NT | EFL_CF | EFL_ONE);
    assert_int_equal(peek32(esp - 8), CODE_0);
    assert_int_equal(peek32(esp - 12), 0x4000);
    assert_int_equal(vcpu_eflags(&cpu), EFL_CF | EFL_ONE);
    assert_false(cpu.halted);
    assert_int_equal(mmu_seen.writes, 2); /* the accessed bit and the frame */
}

static void inner_level_trap_gate(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(0x80, CODE_0 | 3, HANDLER, TRAP32_USER);
    vcpu_set_eflags(&cpu, EFL_IF | EFL_IOPL, ~0u);
    assert_int_equal(callout_int_n(&cpu, IMM(0x80)), CALLOUT_EXIT);
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, STACK_0 - 20);
    assert_int_equal(peek32(STACK_0 - 4), DATA_3);
    assert_int_equal(peek32(STACK_0 - 8), STACK_3 - 0x100);
    assert_int_equal(peek32(STACK_0 - 12), EFL_IF | EFL_IOPL | EFL_ONE);
    assert_int_equal(peek32(STACK_0 - 16), CODE_3);
    assert_int_equal(peek32(STACK_0 - 20), 0x4002);
    assert_int_equal(cpu.ifl, EFL_IF);
    assert_int_equal(cpu.seg[SEG_DS].sel, DATA_3);
}

static void ring3_to_ring1(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(0x30, CODE_1, HANDLER, INT32);
    assert_true(deliver(0x30, EVENT_EXTERNAL));
    assert_at(CODE_1, HANDLER);
    assert_stack(DATA_1, STACK_1 - 20);
}

static void sixteen_bit_gate(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    put_idt(0x21, CODE16_0, 0xdead5678, INT16);
    assert_true(deliver(0x21, EVENT_EXTERNAL));
    assert_at(CODE16_0, 0x5678);
    assert_stack(DATA_0, esp - 6);
    assert_int_equal(peek16(esp - 2), EFL_ONE);
    assert_int_equal(peek16(esp - 6), 0x4000);
}

static void conforming_handler_keeps_level(void **state) {
    uint32_t esp;

    (void)state;
    enter_ring(3);
    esp = cpu.gpr[ESP];
    put_idt(0x22, CONFORMING_0, HANDLER, INT32);
    assert_true(deliver(0x22, EVENT_EXTERNAL));
    assert_at(CONFORMING_0 | 3, HANDLER);
    assert_stack(DATA_3, esp - 12);
}

static void error_code_and_rf(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    put_idt(VEC_GP, CODE_0, HANDLER, INT32);
    vcpu_raise_error(&cpu, VEC_GP, 0x1234);
    assert_true(cpu_deliver_pending(&cpu));
    assert_stack(DATA_0, esp - 16);
    assert_int_equal(peek32(esp - 16), 0x1234);
    assert_int_equal(peek32(esp - 4), EFL_RF | EFL_ONE);
    assert_false(cpu.exc.pending);
}

static void page_fault_sets_cr2(void **state) {
    (void)state;
    put_idt(VEC_PF, CODE_0, HANDLER, INT32);
    vcpu_raise_pf(&cpu, 0xdeadbeef, 6);
    assert_true(cpu_deliver_pending(&cpu));
    assert_int_equal(cpu.cr2, 0xdeadbeef);
    assert_true(cpu.pf_delivered);
}

static void sixteen_bit_stack_wraps(void **state) {
    (void)state;
    force_seg(SEG_SS, DATA16_0);
    put_idt(0x20, CODE_0, HANDLER, INT32);
    cpu.gpr[ESP] = 0x00050006; /* CS would be half at 0xfffe, half at 0 */
    EXPECT_FAULT(deliver(0x20, EVENT_EXTERNAL), VEC_SS, 1);
    cpu.gpr[ESP] = 0x00050008;
    assert_true(deliver(0x20, EVENT_EXTERNAL));
    assert_int_equal(cpu.gpr[ESP], 0x0005fffc);
    assert_int_equal(peek32(4), EFL_ONE);
    assert_int_equal(peek16(0), CODE_0);
}

/* -- checks: SDM vol. 2A INT n -- */

static void gate_faults(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(0x40, CODE_0, HANDLER, INT32);
    EXPECT_FAULT(interrupt_software(&cpu, 0x40, 1), VEC_GP, 0x40 * 8 + 2);
    put_idt(0x40, CODE_0, HANDLER, 0x6f); /* not present */
    EXPECT_FAULT(interrupt_software(&cpu, 0x40, 1), VEC_NP, 0x40 * 8 + 2);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_NP, 0x40 * 8 + 3);
    put_idt(0x40, CODE_0, HANDLER, 0xec); /* a call gate */
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_GP, 0x40 * 8 + 3);
    cpu.idtr.limit = 0x40 * 8 + 6;
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_GP, 0x40 * 8 + 3);
}

static void handler_segment_faults(void **state) {
    (void)state;
    put_idt(0x40, 0, HANDLER, INT32);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_GP, 1);
    EXPECT_FAULT(interrupt_software(&cpu, 0x40, 1), VEC_GP, 0);
    put_idt(0x40, DATA_0, HANDLER, INT32);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_GP, DATA_0 | 1);
    put_idt(0x40, CODE_3, HANDLER, INT32);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_GP, (CODE_3 & ~3) | 1);
    put_desc(SPARE, 0, 0xff, 0x1a, 4);
    put_idt(0x40, SPARE, HANDLER, INT32);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_NP, SPARE | 1);
    put_desc(SPARE, 0, 0xff, 0x9a, 4);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_GP, 1);
}

static void tss_stack_faults(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(0x40, CODE_0, HANDLER, INT32);
    poke32(TSS_A + 8, 0);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_TS, 1);
    poke32(TSS_A + 8, DATA_0 | 1);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_TS, DATA_0 | 1);
    poke32(TSS_A + 8, READ_ONLY_0);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_TS, READ_ONLY_0 | 1);
    poke32(TSS_A + 8, ABSENT_0);
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_SS, ABSENT_0 | 1);
    poke32(TSS_A + 8, DATA16_0);
    poke32(TSS_A + 4, 0x10000 + 8); /* SP 8: the frame wraps to below */
    assert_true(deliver(0x40, EVENT_EXTERNAL));
    assert_int_equal(cpu.gpr[ESP], 0x1fff4);
    enter_ring(3);
    cpu.tr.limit = 8;
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_TS, TSS_A_SEL | 1);
}

static void stack_limit_fault(void **state) {
    (void)state;
    put_idt(0x40, CODE_0, HANDLER, INT32);
    cpu.seg[SEG_SS].limit = 0x1fff;
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_SS, 1);
}

static void absent_stack_page(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(0x40, CODE_0, HANDLER, INT32);
    page_state[(STACK_0 - 1) >> 12] = PAGE_ABSENT;
    EXPECT_FAULT(deliver(0x40, EVENT_EXTERNAL), VEC_PF, PFERR_W);
}

/* -- double and triple faults -- */

static void contributory_pair_doubles(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    put_idt(VEC_DF, CODE_0, HANDLER, INT32);
    vcpu_raise_error(&cpu, VEC_NP, 8); /* its gate is absent: #GP while delivering #NP */
    assert_true(cpu_deliver_pending(&cpu));
    assert_at(CODE_0, HANDLER);
    assert_int_equal(peek32(esp - 16), 0);
    assert_int_equal(cpu.gpr[ESP], esp - 16);
}

static void benign_first_is_serial(void **state) {
    (void)state;
    put_idt(VEC_GP, CODE_0, HANDLER, INT32);
    vcpu_raise(&cpu, VEC_UD); /* no gate: #GP, by itself */
    assert_true(cpu_deliver_pending(&cpu));
    assert_at(CODE_0, HANDLER);
    assert_int_equal(peek32(cpu.gpr[ESP]), VEC_UD * 8 + 3);
}

static void page_fault_during_contributory_is_serial(void **state) {
    (void)state;
    put_idt(VEC_PF, CODE_0, HANDLER, INT32);
    cpu.idtr.base = IDT;
    vcpu_raise_error(&cpu, VEC_GP, 0);
    put_idt(VEC_GP, SPARE | 4, HANDLER, INT32); /* handler in an LDT on an absent page */
    cpu.ldtr = (struct seg){.sel = LDT_SEL, .attr = 0x82, .base = 0x50000, .limit = 0xffff};
    page_state[0x50] = PAGE_ABSENT;
    assert_true(cpu_deliver_pending(&cpu));
    assert_at(CODE_0, HANDLER);
    assert_int_equal(cpu.cr2, 0x50000 + SPARE);
}

static void page_fault_pair_doubles(void **state) {
    (void)state;
    put_idt(VEC_DF, CODE_0, HANDLER, INT32);
    put_idt(VEC_PF, SPARE | 4, HANDLER, INT32);
    cpu.ldtr = (struct seg){.sel = LDT_SEL, .attr = 0x82, .base = 0x50000, .limit = 0xffff};
    page_state[0x50] = PAGE_ABSENT;
    vcpu_raise_pf(&cpu, 0x1234, 0);
    assert_true(cpu_deliver_pending(&cpu));
    assert_at(CODE_0, HANDLER);
    assert_int_equal(peek32(cpu.gpr[ESP]), 0);
}

static void triple_fault(void **state) {
    (void)state;
    cpu.idtr.limit = 0;
    vcpu_raise_error(&cpu, VEC_GP, 0);
    assert_false(cpu_deliver_pending(&cpu));
}

/* -- real mode -- */

static void enter_real(void) {
    cpu.cr0 &= ~CR0_PE;
    cpu.idtr = (struct dtable){0, 0x3ff};
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct seg s = {.sel = 0x2000, .attr = 0x93, .base = 0x20000, .limit = 0xffff};

        vcpu_set_seg(&cpu, i, &s);
    }
    cpu.gpr[ESP] = 0x1000;
    cpu.eip = 0x123;
}

static void real_mode_vector(void **state) {
    (void)state;
    enter_real();
    poke32(VEC_GP * 4, 0x30000042);
    vcpu_set_eflags(&cpu, EFL_IF | EFL_CF, ~0u);
    vcpu_raise_error(&cpu, VEC_GP, 0x55);
    assert_true(cpu_deliver_pending(&cpu));
    assert_int_equal(cpu.seg[SEG_CS].sel, 0x3000);
    assert_int_equal(cpu.seg_base[SEG_CS], 0x30000);
    assert_int_equal(cpu.eip, 0x42);
    assert_int_equal(cpu.gpr[ESP], 0x1000 - 6);
    assert_int_equal(peek16(0x20ffe), EFL_IF | EFL_CF | EFL_ONE);
    assert_int_equal(peek16(0x20ffc), 0x2000);
    assert_int_equal(peek16(0x20ffa), 0x123);
    assert_int_equal(vcpu_eflags(&cpu), EFL_CF | EFL_ONE);
}

static void real_mode_table_limit(void **state) {
    (void)state;
    enter_real();
    cpu.idtr.limit = 0x20 * 4 + 2;
    EXPECT_FAULT(deliver(0x20, EVENT_EXTERNAL), VEC_GP, 0);
}

/* -- virtual-8086 mode -- */

static void v86_to_ring0(void **state) {
    (void)state;
    enter_v86(3);
    put_idt(0x20, CODE_0, HANDLER, INT32);
    assert_true(deliver(0x20, EVENT_EXTERNAL));
    assert_at(CODE_0, HANDLER);
    assert_stack(DATA_0, STACK_0 - 36);
    assert_int_equal(peek32(STACK_0 - 4), 0x1000 + SEG_GS);
    assert_int_equal(peek32(STACK_0 - 8), 0x1000 + SEG_FS);
    assert_int_equal(peek32(STACK_0 - 12), 0x1000 + SEG_DS);
    assert_int_equal(peek32(STACK_0 - 16), 0x1000 + SEG_ES);
    assert_int_equal(peek32(STACK_0 - 20), 0x1000 + SEG_SS);
    assert_int_equal(peek32(STACK_0 - 24), 0x1000);
    assert_int_equal(peek32(STACK_0 - 28), EFL_VM | EFL_IOPL | EFL_IF | EFL_ONE);
    assert_int_equal(peek32(STACK_0 - 32), 0x1000 + SEG_CS);
    assert_int_equal(peek32(STACK_0 - 36), 0x100);
    assert_int_equal(cpu.seg[SEG_DS].attr, 0);
    assert_int_equal(cpu.sysflags & EFL_VM, 0);
}

static void v86_handler_must_be_ring0(void **state) {
    (void)state;
    enter_v86(3);
    put_idt(0x20, CODE_1, HANDLER, INT32);
    EXPECT_FAULT(deliver(0x20, EVENT_EXTERNAL), VEC_GP, (CODE_1 & ~3) | 1);
    put_idt(0x20, CONFORMING_0, HANDLER, INT32);
    EXPECT_FAULT(deliver(0x20, EVENT_EXTERNAL), VEC_GP, CONFORMING_0 | 1);
}

static void v86_int_n_needs_iopl(void **state) {
    (void)state;
    enter_v86(2);
    put_idt(0x21, CODE_0, HANDLER, TRAP32_USER);
    put_idt(VEC_BP, CODE_0, HANDLER, TRAP32_USER);
    EXPECT_FAULT(callout_int_n(&cpu, IMM(0x21)), VEC_GP, 0);
    assert_int_equal(callout_int3(&cpu, 0), CALLOUT_EXIT);
    assert_at(CODE_0, HANDLER);
}

/* -- software interrupts -- */

static void into_only_on_overflow(void **state) {
    (void)state;
    put_idt(VEC_OF, CODE_0, HANDLER, TRAP32);
    assert_int_equal(callout_into(&cpu, 0), CALLOUT_NEXT);
    cpu.flags = EFL_OF;
    assert_int_equal(callout_into(&cpu, 0), CALLOUT_EXIT);
    assert_at(CODE_0, HANDLER);
    assert_int_equal(peek32(cpu.gpr[ESP]), 0x4002);
}

static void int1_ignores_dpl(void **state) {
    (void)state;
    enter_ring(3);
    put_idt(VEC_DB, CODE_0, HANDLER, INT32);
    assert_int_equal(callout_int1(&cpu, 0), CALLOUT_EXIT);
    assert_at(CODE_0, HANDLER);
    assert_int_equal(peek32(STACK_0 - 20), 0x4002);
}

static void bound_ranges(void **state) {
    uint64_t arg = EAX | 1u << 8 | SEG_DS << 9 | OP(4);

    (void)state;
    cpu.ea = 0x8000;
    poke32(0x8000, (uint32_t)-5);
    poke32(0x8004, 7);
    cpu.gpr[EAX] = (uint32_t)-5;
    assert_int_equal(callout_bound(&cpu, arg), CALLOUT_NEXT);
    cpu.gpr[EAX] = 8;
    EXPECT_FAULT(callout_bound(&cpu, arg), VEC_BR, -1);
    cpu.gpr[EAX] = (uint32_t)-6;
    EXPECT_FAULT(callout_bound(&cpu, arg), VEC_BR, -1);

    arg = (arg & ~OP(15)) | OP(2);
    poke16(0x8002, 9); /* 16-bit: -5..9 */
    cpu.gpr[EAX] = 0x7fff0009;
    assert_int_equal(callout_bound(&cpu, arg), CALLOUT_NEXT);
    cpu.gpr[EAX] = 10;
    EXPECT_FAULT(callout_bound(&cpu, arg), VEC_BR, -1);
}

/* -- SYSENTER -- */

static void sysenter_and_back(void **state) {
    (void)state;
    enter_ring(3);
    cpu.sysenter_cs = 0x63;
    cpu.sysenter_esp = 0x7000;
    cpu.sysenter_eip = 0x6000;
    vcpu_set_eflags(&cpu, EFL_IF, EFL_IF);
    assert_int_equal(callout_sysenter(&cpu, 0), CALLOUT_EXIT);
    assert_at(0x60, 0x6000);
    assert_stack(0x68, 0x7000);
    assert_int_equal(cpu.ifl, 0);
    assert_int_equal(cpu.seg[SEG_CS].attr, 0xc09b);
    assert_int_equal(cpu.seg[SEG_SS].attr, 0xc093);

    cpu.gpr[ECX] = 0x1111;
    cpu.gpr[EDX] = 0x2222;
    assert_int_equal(callout_sysexit(&cpu, 0), CALLOUT_EXIT);
    assert_at(0x73, 0x2222);
    assert_stack(0x7b, 0x1111);
    assert_int_equal(cpu.seg[SEG_CS].attr, 0xc0fb);
    assert_int_equal(cpu.seg[SEG_SS].attr, 0xc0f3);
    EXPECT_FAULT(callout_sysexit(&cpu, 0), VEC_GP, 0);
    cpu.sysenter_cs = 3;
    EXPECT_FAULT(callout_sysenter(&cpu, 0), VEC_GP, 0);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, bench_reset)
    const struct CMUnitTest tests[] = {
        TEST(same_level_interrupt_gate),
        TEST(inner_level_trap_gate),
        TEST(ring3_to_ring1),
        TEST(sixteen_bit_gate),
        TEST(conforming_handler_keeps_level),
        TEST(error_code_and_rf),
        TEST(page_fault_sets_cr2),
        TEST(sixteen_bit_stack_wraps),
        TEST(gate_faults),
        TEST(handler_segment_faults),
        TEST(tss_stack_faults),
        TEST(stack_limit_fault),
        TEST(absent_stack_page),
        TEST(contributory_pair_doubles),
        TEST(benign_first_is_serial),
        TEST(page_fault_during_contributory_is_serial),
        TEST(page_fault_pair_doubles),
        TEST(triple_fault),
        TEST(real_mode_vector),
        TEST(real_mode_table_limit),
        TEST(v86_to_ring0),
        TEST(v86_handler_must_be_ring0),
        TEST(v86_int_n_needs_iopl),
        TEST(into_only_on_overflow),
        TEST(int1_ignores_dpl),
        TEST(bound_ranges),
        TEST(sysenter_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
