/* vmm/segment.c, segload.c, stack.c, vcpu.c: limit, type and privilege checks; segment loads. */
#include "tests/unit/cpu_bench.h"

#include "host/host.h"

#define OP(size) ((uint64_t)(size) << 12)

/* -- vcpu -- */

static void eflags_parts(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_CF | EFL_DF | EFL_IF | EFL_NT | EFL_AC, ~0u);
    assert_int_equal(cpu.flags, EFL_CF | EFL_DF);
    assert_int_equal(cpu.ifl, EFL_IF);
    assert_int_equal(cpu.sysflags, EFL_NT | EFL_AC);
    assert_int_equal(vcpu_eflags(&cpu), EFL_CF | EFL_DF | EFL_IF | EFL_NT | EFL_AC | EFL_ONE);
    vcpu_set_eflags(&cpu, 0, EFL_CF | EFL_NT);
    assert_int_equal(vcpu_eflags(&cpu), EFL_DF | EFL_IF | EFL_AC | EFL_ONE);
}

static void pushf_image_from_host_flags(void **state) {
    (void)state;
    vcpu_set_eflags(&cpu, EFL_ZF | EFL_IF | EFL_IOPL | EFL_VM | EFL_RF, ~0u);

    uint32_t live = cpu.flags | host_fixed_rflags();

    assert_int_equal(live + cpu.pushf_fixed + cpu.ifl, EFL_ZF | EFL_IF | EFL_IOPL | EFL_ONE);
}

static void reset_state(void **state) {
    (void)state;
    memset(&cpu, 0xa5, sizeof cpu);
    vcpu_reset(&cpu);
    assert_int_equal(cpu.seg[SEG_CS].sel, 0xf000);
    assert_int_equal(cpu.seg_base[SEG_CS] + cpu.eip, 0xfffffff0);
    assert_int_equal(cpu.cr0, 0x60000010);
    assert_int_equal(vcpu_eflags(&cpu), 2);
    assert_int_equal(cpu.cpl, 0);
    assert_int_equal(cpu.dr[6], 0xffff0ff0);
    assert_int_equal(cpu.seg_facts, 0); /* 64 KiB, 16 bit */
    for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
        assert_int_equal(cpu.tlb[1].wtag[i], SOFT_TLB_INVALID);
}

#define FACTS(sreg) (SEG_FACT_FLAT(sreg) | SEG_FACT_WIDE(sreg))

static void set_data(unsigned sreg, uint32_t base, uint32_t limit, unsigned attr) {
    const struct seg s = {.base = base, .limit = limit, .attr = (uint16_t)(SEG_P | SEG_S | attr)};
    vcpu_set_seg(&cpu, sreg, &s);
}

/* Each load changes the facts of its own register, of the four that have any. */
static void facts_follow_segments(void **state) {
    static const unsigned mode[4] = {0, SEG_FACT_CODE32, SEG_FACT_STACK32, 0};

    (void)state;
    vcpu_reset(&cpu);
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++) {
        unsigned code = sreg == SEG_CS ? SEG_CODE : 0;
        uint32_t flat = sreg <= SEG_DS ? FACTS(sreg) | mode[sreg] : 0;
        uint32_t wide = flat & ~(sreg <= SEG_DS ? SEG_FACT_FLAT(sreg) : 0);
        uint32_t before = cpu.seg_facts;

        set_data(sreg, 0, UINT32_MAX, SEG_W | SEG_DB | code);
        assert_int_equal(cpu.seg_facts, before | flat);
        set_data(sreg, 16, UINT32_MAX, SEG_W | SEG_DB | code);
        assert_int_equal(cpu.seg_facts, before | wide);
        set_data(sreg, 0, UINT32_MAX, SEG_W | code);
        assert_int_equal(cpu.seg_facts, before | (sreg <= SEG_DS ? FACTS(sreg) : 0));
        set_data(sreg, 0, UINT32_MAX, SEG_DB | code); /* not writable, or not readable */
        assert_int_equal(cpu.seg_facts, before | (flat ? mode[sreg] : 0));
        set_data(sreg, 0, UINT32_MAX - 1, SEG_W | code);
        assert_int_equal(cpu.seg_facts, before);
        set_data(sreg, 0, UINT32_MAX, SEG_W | SEG_DB | code);
    }
    assert_int_equal(cpu.seg_facts, FACTS(SEG_ES) | FACTS(SEG_CS) | FACTS(SEG_SS) | FACTS(SEG_DS) |
                                        SEG_FACT_CODE32 | SEG_FACT_STACK32);
}

/* -- accesses -- */

static void expand_up_limit(void **state) {
    gla_t gla;

    (void)state;
    cpu.seg[SEG_DS].limit = 0xfff;
    cpu.seg[SEG_DS].base = 0x100;
    assert_true(cpu_linear(&cpu, SEG_DS, 0xffc, 4, true, &gla));
    assert_int_equal(gla, 0x10fc);
    EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, 0xffd, 4, true, &gla), VEC_GP, 0);
    EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, 0xfffffffe, 4, true, &gla), VEC_GP, 0);
    cpu.seg[SEG_SS].limit = 0xfff;
    EXPECT_FAULT(cpu_linear(&cpu, SEG_SS, 0x1000, 1, false, &gla), VEC_SS, 0);
}

static void expand_down_limit(void **state) {
    gla_t gla;

    (void)state;
    force_seg(SEG_DS, EXPAND_DOWN_0);
    assert_true(cpu_linear(&cpu, SEG_DS, 0x1000, 4, true, &gla));
    assert_true(cpu_linear(&cpu, SEG_DS, 0xfffffffc, 4, true, &gla));
    EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, 0xfff, 4, true, &gla), VEC_GP, 0);
    EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, 0xfffffffd, 4, true, &gla), VEC_GP, 0);
    cpu.seg[SEG_DS].attr &= ~SEG_DB;
    assert_true(cpu_linear(&cpu, SEG_DS, 0xfffc, 4, true, &gla));
    EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, 0xfffd, 4, true, &gla), VEC_GP, 0);
}

static void segment_types(void **state) {
    gla_t gla;

    (void)state;
    force_seg(SEG_DS, READ_ONLY_0);
    assert_true(cpu_linear(&cpu, SEG_DS, 0, 4, false, &gla));
    EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, 0, 4, true, &gla), VEC_GP, 0);
    assert_true(cpu_linear(&cpu, SEG_CS, 0, 4, false, &gla));
    EXPECT_FAULT(cpu_linear(&cpu, SEG_CS, 0, 4, true, &gla), VEC_GP, 0);
    force_seg(SEG_CS, EXEC_ONLY_0);
    EXPECT_FAULT(cpu_linear(&cpu, SEG_CS, 0, 4, false, &gla), VEC_GP, 0);
    cpu.seg[SEG_ES].attr = 0;
    EXPECT_FAULT(cpu_linear(&cpu, SEG_ES, 0, 1, false, &gla), VEC_GP, 0);
}

static void access_rights_follow_cpl(void **state) {
    uint32_t word = 0x12345678;

    (void)state;
    page_state[0x30] = PAGE_SUPERVISOR;
    assert_true(cpu_write(&cpu, SEG_DS, 0x30000, &word, 4));
    enter_ring(3);
    EXPECT_FAULT(cpu_read(&cpu, SEG_DS, 0x30000, &word, 4), VEC_PF, PFERR_P | PFERR_U);
}

static void alignment_checks(void **state) {
    static const struct {
        uint32_t size, bad, good;
    } cases[] = {{2, 1, 2},  {4, 2, 4},   {6, 2, 4},  {8, 4, 8},  {10, 4, 8},  {1, 0, 3},
                 {14, 1, 2}, {16, 8, 16}, {28, 2, 4}, {94, 1, 2}, {108, 2, 4}, {512, 0, 1}};
    gla_t gla;

    (void)state;
    enter_ring(3);
    cpu.cr0 |= CR0_AM;
    vcpu_set_eflags(&cpu, EFL_AC, EFL_AC);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].bad)
            EXPECT_FAULT(cpu_linear(&cpu, SEG_DS, cases[i].bad, cases[i].size, true, &gla), VEC_AC,
                         0);
        assert_true(cpu_linear(&cpu, SEG_DS, cases[i].good, cases[i].size, true, &gla));
    }
    cpu.cpl = 0;
    assert_true(cpu_linear(&cpu, SEG_DS, 1, 4, true, &gla));
}

/* -- loads -- */

static void load_sets_hidden_part_and_accessed_bit(void **state) {
    (void)state;
    put_desc(DATA_3, 0x12345678, 0x54321, 0xf2, 0xc);
    assert_true(cpu_load_seg(&cpu, SEG_FS, DATA_3));
    assert_int_equal(cpu.seg[SEG_FS].sel, DATA_3);
    assert_int_equal(cpu.seg[SEG_FS].base, 0x12345678);
    assert_int_equal(cpu.seg_base[SEG_FS], 0x12345678);
    assert_int_equal(cpu.seg[SEG_FS].limit, 0x54321fff);
    assert_int_equal(cpu.seg[SEG_FS].attr, 0xc0f3);
    assert_int_equal(desc_access(DATA_3), 0xf3);
}

static void load_privilege(void **state) {
    (void)state;
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, DATA_0 | 3), VEC_GP, DATA_0);
    assert_true(cpu_load_seg(&cpu, SEG_DS, CONFORMING_0 | 3));
    enter_ring(3);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, DATA_0), VEC_GP, DATA_0);
    assert_true(cpu_load_seg(&cpu, SEG_DS, DATA_3));
    assert_true(cpu_load_seg(&cpu, SEG_ES, CODE_3));
}

static void load_bad_descriptors(void **state) {
    (void)state;
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, ABSENT_0), VEC_NP, ABSENT_0);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, EXEC_ONLY_0), VEC_GP, EXEC_ONLY_0);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, TSS_A_SEL), VEC_GP, TSS_A_SEL);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, GDT_LIMIT + 1), VEC_GP, GDT_LIMIT + 1);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, 0x0c), VEC_GP, 0x0c); /* no LDT */
    cpu.gdtr.limit = DATA_0 + 6;
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, DATA_0), VEC_GP, DATA_0);
}

static void load_from_ldt(void **state) {
    (void)state;
    put_desc(0x0f, 0x7000, 0xff, 0xf2, 0);
    cpu.ldtr = (struct seg){.sel = LDT_SEL, .attr = 0x82, .base = LDT, .limit = 0x17};
    assert_true(cpu_load_seg(&cpu, SEG_GS, 0x0f));
    assert_int_equal(cpu.seg_base[SEG_GS], 0x7000);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_GS, 0x1c), VEC_GP, 0x1c);
}

static void load_stack_segment(void **state) {
    (void)state;
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_SS, 0), VEC_GP, 0);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_SS, DATA_3), VEC_GP, DATA_3 & ~3);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_SS, READ_ONLY_0), VEC_GP, READ_ONLY_0);
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_SS, ABSENT_0), VEC_SS, ABSENT_0);
    assert_true(cpu_load_seg(&cpu, SEG_SS, DATA16_0));
}

static void load_null(void **state) {
    (void)state;
    assert_true(cpu_load_seg(&cpu, SEG_ES, 3));
    assert_int_equal(cpu.seg[SEG_ES].sel, 3);
    assert_int_equal(cpu.seg[SEG_ES].attr, 0);
}

static void load_real_keeps_limit(void **state) {
    (void)state;
    cpu.cr0 &= ~CR0_PE;
    assert_true(cpu_load_seg(&cpu, SEG_DS, 0x1234));
    assert_int_equal(cpu.seg_base[SEG_DS], 0x12340);
    assert_int_equal(cpu.seg[SEG_DS].limit, 0xffffffff);
}

static void load_faulting_accessed_bit(void **state) {
    (void)state;
    page_state[GDT >> 12] = PAGE_READ_ONLY;
    EXPECT_FAULT(cpu_load_seg(&cpu, SEG_DS, DATA_3), VEC_PF, PFERR_P | PFERR_W);
}

/* -- callouts -- */

static void mov_to_sreg_stays_when_nothing_changes(void **state) {
    (void)state;
    cpu.val = DATA_3; /* DPL and selector differ from DATA_0, the rest does not */
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_DS | OP(2)), CALLOUT_NEXT);
    assert_int_equal(cpu.seg[SEG_DS].sel, DATA_3);
    put_desc(DATA_3, 0x1000, 0xfffff, 0xf2, 0xc);
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_ES | OP(2)), CALLOUT_EXIT);
    assert_int_equal(cpu.eip, cpu.next_eip);
    put_desc(DATA_3, 0x2000, 0xfffff, 0xf2, 0xc); /* only one base that is not 0 for another */
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_ES | OP(2)), CALLOUT_NEXT);
    assert_int_equal(cpu.seg_base[SEG_ES], 0x2000);
    put_desc(DATA_3, 0x2000, 0xffff, 0xf2, 0xc);
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_ES | OP(2)), CALLOUT_EXIT);
    put_desc(DATA_3, 0, 0xfff, 0xf2, 0xc); /* checked at run time before and after */
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_ES | OP(2)), CALLOUT_NEXT);
    put_desc(DATA_3, 0x1000, 0xfffff, 0xf2, 0xc); /* translations take FS and GS as they are */
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_GS | OP(2)), CALLOUT_NEXT);
    assert_int_equal(cpu.seg_base[SEG_GS], 0x1000);
}

static void mov_to_ss_shadows(void **state) {
    (void)state;
    cpu.val = DATA_0;
    assert_int_equal(callout_mov_to_sreg(&cpu, SEG_SS | OP(2)), CALLOUT_EXIT);
    assert_int_equal(cpu.shadow, SHADOW_MOV_SS);
    assert_int_equal(cpu.eip, cpu.next_eip);
}

static void mov_to_cs_undefined(void **state) {
    (void)state;
    cpu.val = CODE_0;
    EXPECT_FAULT(callout_mov_to_sreg(&cpu, SEG_CS | OP(2)), VEC_UD, -1);
    EXPECT_FAULT(callout_mov_to_sreg(&cpu, 6 | OP(2)), VEC_UD, -1);
}

static void pop_sreg_is_atomic(void **state) {
    uint32_t esp = cpu.gpr[ESP];

    (void)state;
    poke32(esp, 0xffff0000u | ABSENT_0);
    EXPECT_FAULT(callout_pop_sreg(&cpu, SEG_DS | OP(4)), VEC_NP, ABSENT_0);
    poke32(esp, 0xffff0000u | DATA_3);
    assert_int_equal(callout_pop_sreg(&cpu, SEG_DS | OP(4)), CALLOUT_NEXT);
    assert_int_equal(cpu.gpr[ESP], esp + 4);
    assert_int_equal(cpu.seg[SEG_DS].sel, DATA_3);
}

static void load_far_pointer(void **state) {
    uint64_t arg = EBX | 1u << 8 | SEG_DS << 9 | OP(4) | (uint64_t)SEG_FS << 32;

    (void)state;
    poke32(0x8000, 0xcafebabe);
    poke16(0x8004, ABSENT_0);
    cpu.ea = 0x8000;
    EXPECT_FAULT(callout_load_far_ptr(&cpu, arg), VEC_NP, ABSENT_0);
    poke16(0x8004, DATA_3);
    assert_int_equal(callout_load_far_ptr(&cpu, arg), CALLOUT_NEXT);
    assert_int_equal(cpu.gpr[EBX], 0xcafebabe);
    cpu.gpr[EBX] = 0x11112222;
    poke16(0x8002, DATA_3);
    assert_int_equal(callout_load_far_ptr(&cpu, (arg & ~OP(15)) | OP(2)), CALLOUT_NEXT);
    assert_int_equal(cpu.gpr[EBX], 0x1111babe);
}

/* -- stack -- */

static void push_and_pop_honour_stack_size(void **state) {
    uint32_t value;

    (void)state;
    force_seg(SEG_SS, DATA16_0);
    cpu.gpr[ESP] = 0x12340002;
    assert_true(cpu_push(&cpu, 0xbeef, 2));
    assert_int_equal(cpu.gpr[ESP], 0x12340000);
    assert_true(cpu_push(&cpu, 0xdeadbeef, 4));
    assert_int_equal(cpu.gpr[ESP], 0x1234fffc);
    assert_int_equal(peek32(0xfffc), 0xdeadbeef);
    assert_true(cpu_pop(&cpu, &value, 4));
    assert_int_equal(value, 0xdeadbeef);
    assert_int_equal(cpu.gpr[ESP], 0x12340000);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, bench_reset)
    const struct CMUnitTest tests[] = {
        TEST(eflags_parts),
        TEST(pushf_image_from_host_flags),
        TEST(reset_state),
        TEST(facts_follow_segments),
        TEST(expand_up_limit),
        TEST(expand_down_limit),
        TEST(segment_types),
        TEST(access_rights_follow_cpl),
        TEST(alignment_checks),
        TEST(load_sets_hidden_part_and_accessed_bit),
        TEST(load_privilege),
        TEST(load_bad_descriptors),
        TEST(load_from_ldt),
        TEST(load_stack_segment),
        TEST(load_null),
        TEST(load_real_keeps_limit),
        TEST(load_faulting_accessed_bit),
        TEST(mov_to_sreg_stays_when_nothing_changes),
        TEST(mov_to_ss_shadows),
        TEST(mov_to_cs_undefined),
        TEST(pop_sreg_is_atomic),
        TEST(load_far_pointer),
        TEST(push_and_pop_honour_stack_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
