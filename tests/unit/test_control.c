/* vmm/control.c, debug_regs.c, hlt.c: control and debug registers, INVLPG, WBINVD, HLT. */
#include "tests/unit/callout_bench.h"

static enum callout_result to_cr(unsigned number, uint32_t value) {
    cpu.gpr[EBX] = value;
    return callout_mov_to_cr(&cpu, A_REG(number) | A_RM(EBX));
}

static uint32_t from_cr(unsigned number) {
    assert_int_equal(callout_mov_from_cr(&cpu, A_REG(number) | A_RM(ESI)), CALLOUT_NEXT);
    return cpu.gpr[ESI];
}

/* -- CR0 -- */

static void cr0_combinations(void **state) {
    (void)state;
    cpu.cr0 = CR0_ET;
    EXPECT_FAULT(cpu_write_cr0(&cpu, CR0_PG), VEC_GP, 0);
    EXPECT_FAULT(cpu_write_cr0(&cpu, CR0_PE | CR0_NW), VEC_GP, 0);
    assert_true(cpu_write_cr0(&cpu, CR0_PE | CR0_NW | CR0_CD));
    assert_int_equal(cpu.cr0, CR0_PE | CR0_NW | CR0_CD | CR0_ET);
    assert_int_equal(mmu_events.mode_changes, 1);
}

static void cr0_reserved_bits_ignored(void **state) {
    (void)state;
    EXPECT_LEAVE(to_cr(0, 0x7fffffff & ~CR0_NW));
    assert_int_equal(from_cr(0), CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP |
                                     CR0_AM | CR0_CD);
}

static void cr0_unchanged_goes_on(void **state) {
    (void)state;
    EXPECT_NEXT(to_cr(0, cpu.cr0));
    EXPECT_NEXT(to_cr(0, cpu.cr0 & ~CR0_ET));
    assert_int_equal(mmu_events.mode_changes, 0);
}

static void cr0_change_leaves(void **state) {
    (void)state;
    EXPECT_LEAVE(to_cr(0, cpu.cr0 | CR0_TS));
    assert_int_equal(mmu_events.mode_changes, 0);
    EXPECT_LEAVE(to_cr(0, cpu.cr0 | CR0_WP));
    EXPECT_LEAVE(to_cr(0, cpu.cr0 | CR0_PG));
    EXPECT_LEAVE(to_cr(0, cpu.cr0 & ~(CR0_PG | CR0_PE)));
    assert_int_equal(mmu_events.mode_changes, 3);
}

static void pae_loads_pdptes(void **state) {
    (void)state;
    cpu.cr4 = CR4_PAE;
    cpu.cr3 = 0x1008; /* the bench's MMU refuses PDPTEs at such an address */
    cpu.gpr[EBX] = cpu.cr0 | CR0_PG;
    EXPECT_FAULT(callout_mov_to_cr(&cpu, A_REG(0) | A_RM(EBX)), VEC_GP, 0);
    cpu.cr3 = 0x1000;
    EXPECT_LEAVE(to_cr(0, cpu.cr0 | CR0_PG));
    cpu.gpr[EBX] = 0x2008;
    EXPECT_FAULT(callout_mov_to_cr(&cpu, A_REG(3) | A_RM(EBX)), VEC_GP, 0);
    EXPECT_LEAVE(to_cr(3, 0x2000));
    assert_int_equal(mmu_seen.cr3_loads, 1);
}

/* -- CR2, CR3, CR4 -- */

static void cr2_is_storage(void **state) {
    (void)state;
    EXPECT_NEXT(to_cr(2, 0xdeadbeef));
    assert_int_equal(from_cr(2), 0xdeadbeef);
}

static void cr3_without_paging(void **state) {
    (void)state;
    EXPECT_LEAVE(to_cr(3, 0x5018));
    assert_int_equal(from_cr(3), 0x5018);
    assert_int_equal(mmu_seen.cr3_loads, 0);
    cpu.cr0 |= CR0_PG;
    EXPECT_LEAVE(to_cr(3, 0x5018));
    assert_int_equal(mmu_seen.cr3_loads, 1);
}

static void cr4_reserved_bits(void **state) {
    static const uint32_t absent[] = {CR4_VME,  CR4_PVI,  CR4_MCE,  1u << 11, 1u << 13,
                                      1u << 16, 1u << 18, 1u << 20, 1u << 21, 1u << 31};

    (void)state;
    for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++)
        EXPECT_FAULT(cpu_write_cr4(&cpu, absent[i]), VEC_GP, 0);
}

static void cr4_paging_bits_flush(void **state) {
    (void)state;
    EXPECT_LEAVE(to_cr(4, CR4_PSE));
    EXPECT_LEAVE(to_cr(4, CR4_PSE | CR4_PGE));
    EXPECT_LEAVE(to_cr(4, CR4_PSE));
    assert_int_equal(mmu_events.mode_changes, 3);
    EXPECT_LEAVE(to_cr(4, CR4_PSE | CR4_TSD | CR4_OSFXSR));
    assert_int_equal(mmu_events.mode_changes, 3);
    EXPECT_NEXT(to_cr(4, CR4_PSE | CR4_TSD | CR4_OSFXSR));
    assert_int_equal(from_cr(4), CR4_PSE | CR4_TSD | CR4_OSFXSR);
}

static void no_such_register(void **state) {
    static const unsigned absent[] = {1, 5, 6, 7, 8, 15};

    (void)state;
    for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        EXPECT_FAULT(callout_mov_to_cr(&cpu, A_REG(absent[i])), VEC_UD, -1);
        EXPECT_FAULT(callout_mov_from_cr(&cpu, A_REG(absent[i])), VEC_UD, -1);
    }
}

/* -- MSW, TS -- */

static void lmsw_sets_but_keeps_pe(void **state) {
    (void)state;
    cpu.cr0 = CR0_ET | CR0_NE;
    cpu.gpr[EDX] = 0xfff0 | CR0_TS;
    EXPECT_LEAVE(callout_lmsw(&cpu, A_RM(EDX)));
    assert_int_equal(cpu.cr0, CR0_ET | CR0_NE | CR0_TS);
    cpu.gpr[EDX] = CR0_PE;
    EXPECT_LEAVE(callout_lmsw(&cpu, A_RM(EDX)));
    assert_int_equal(cpu.cr0, CR0_ET | CR0_NE | CR0_PE);
    cpu.gpr[EDX] = 0;
    EXPECT_NEXT(callout_lmsw(&cpu, A_RM(EDX)));
    assert_int_equal(cpu.cr0, CR0_ET | CR0_NE | CR0_PE);
}

static void lmsw_from_memory(void **state) {
    (void)state;
    poke16(0x7000, CR0_PE | CR0_MP);
    cpu.ea = 0x7000;
    EXPECT_LEAVE(callout_lmsw(&cpu, A_MEM(SEG_DS)));
    assert_int_equal(cpu.cr0, CR0_ET | CR0_PE | CR0_MP);
    page_state[7] = PAGE_ABSENT;
    EXPECT_FAULT(callout_lmsw(&cpu, A_MEM(SEG_DS)), VEC_PF, 0);
}

static void smsw_widths(void **state) {
    (void)state;
    cpu.cr0 = 0x80010011;
    cpu.gpr[ECX] = 0xaaaaaaaa;
    EXPECT_NEXT(callout_smsw(&cpu, A_RM(ECX) | A_OP(2)));
    assert_int_equal(cpu.gpr[ECX], 0xaaaa0011);
    EXPECT_NEXT(callout_smsw(&cpu, A_RM(ECX) | A_OP(4)));
    assert_int_equal(cpu.gpr[ECX], 0x80010011);
    poke32(0x7000, 0xaaaaaaaa);
    cpu.ea = 0x7000;
    EXPECT_NEXT(callout_smsw(&cpu, A_MEM(SEG_DS) | A_OP(4)));
    assert_int_equal(peek32(0x7000), 0xaaaa0011);
    enter_ring(3);
    EXPECT_NEXT(callout_smsw(&cpu, A_RM(ECX) | A_OP(4)));
}

static void smsw_over_code_leaves(void **state) {
    (void)state;
    page_state[7] = PAGE_CODE;
    cpu.ea = 0x7000;
    EXPECT_LEAVE(callout_smsw(&cpu, A_MEM(SEG_DS) | A_OP(2)));
    EXPECT_NEXT(callout_smsw(&cpu, A_MEM(SEG_DS) | A_OP(2)));
}

static void clts_leaves_only_when_set(void **state) {
    (void)state;
    EXPECT_NEXT(callout_clts(&cpu, 0));
    cpu.cr0 |= CR0_TS;
    EXPECT_LEAVE(callout_clts(&cpu, 0));
    assert_false(cpu.cr0 & CR0_TS);
}

/* -- privilege -- */

static void privileged(void **state) {
    static const callout_fn all[] = {callout_mov_to_cr,   callout_mov_from_cr, callout_lmsw,
                                     callout_clts,        callout_invlpg,      callout_cache_op,
                                     callout_mov_from_dr, callout_mov_to_dr,   callout_hlt};

    (void)state;
    for (unsigned ring = 1; ring <= 3; ring += 2) {
        enter_ring(ring);
        for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
            EXPECT_FAULT(all[i](&cpu, 0), VEC_GP, 0);
    }
    enter_v86(3);
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
        EXPECT_FAULT(all[i](&cpu, 0), VEC_GP, 0);
    assert_int_equal(mmu_events.invlpgs, 0);
}

/* -- INVLPG, WBINVD, HLT -- */

static void invlpg_adds_the_base(void **state) {
    const struct seg fs = {.attr = 0x93, .base = 0x30000, .limit = 0xff};

    (void)state;
    vcpu_set_seg(&cpu, SEG_FS, &fs);
    cpu.ea = 0x12345;
    EXPECT_NEXT(callout_invlpg(&cpu, A_MEM(SEG_FS)));
    assert_int_equal(mmu_events.invalidated, 0x42345);
    cpu.ea = 0x4fff;
    EXPECT_LEAVE(callout_invlpg(&cpu, A_MEM(SEG_DS)));
}

static void wbinvd_does_nothing(void **state) {
    (void)state;
    EXPECT_NEXT(callout_cache_op(&cpu, 0));
}

static void hlt_halts(void **state) {
    (void)state;
    EXPECT_LEAVE(callout_hlt(&cpu, 0));
    assert_true(cpu.halted);
}

/* -- debug registers -- */

static enum callout_result to_dr(unsigned number, uint32_t value) {
    cpu.gpr[EBX] = value;
    return callout_mov_to_dr(&cpu, A_REG(number) | A_RM(EBX));
}

static uint32_t from_dr(unsigned number) {
    assert_int_equal(callout_mov_from_dr(&cpu, A_REG(number) | A_RM(ESI)), CALLOUT_NEXT);
    return cpu.gpr[ESI];
}

static void dr_fixed_bits(void **state) {
    (void)state;
    EXPECT_NEXT(to_dr(6, 0xffffffff));
    assert_int_equal(from_dr(6), 0xffffefff);
    EXPECT_NEXT(to_dr(6, 0));
    assert_int_equal(from_dr(6), 0xffff0ff0);
    EXPECT_LEAVE(to_dr(7, 0xffffffff & ~(1u << 13)));
    assert_int_equal(from_dr(7), 0xffff07ff);
    EXPECT_LEAVE(to_dr(7, 0));
    assert_int_equal(from_dr(7), 0x400);
    EXPECT_NEXT(to_dr(3, 0x12345678));
    assert_int_equal(from_dr(3), 0x12345678);
}

static void dr4_dr5_alias_without_de(void **state) {
    (void)state;
    EXPECT_NEXT(to_dr(4, 1));
    assert_int_equal(from_dr(6), 0xffff0ff1);
    assert_int_equal(from_dr(5), 0x400);
    cpu.cr4 = CR4_DE;
    EXPECT_FAULT(callout_mov_to_dr(&cpu, A_REG(4)), VEC_UD, -1);
    EXPECT_FAULT(callout_mov_from_dr(&cpu, A_REG(5)), VEC_UD, -1);
    EXPECT_FAULT(callout_mov_from_dr(&cpu, A_REG(8)), VEC_UD, -1);
}

static void general_detect(void **state) {
    (void)state;
    EXPECT_LEAVE(to_dr(7, 1u << 13));
    cpu.gpr[EBX] = 5;
    assert_int_equal(callout_mov_to_dr(&cpu, A_REG(0) | A_RM(EBX)), CALLOUT_EXIT);
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.dr[0], 0);
    assert_int_equal(cpu.dr[6], 0xffff2ff0);
    put_idt(VEC_DB, CODE_0, HANDLER, 0x8e);
    assert_true(cpu_deliver_pending(&cpu));
    assert_int_equal(peek32(cpu.gpr[ESP] + 8) & EFL_RF, EFL_RF);
    assert_int_equal(from_dr(7), 0x400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(cr0_combinations),
        CALLOUT_TEST(cr0_reserved_bits_ignored),
        CALLOUT_TEST(cr0_unchanged_goes_on),
        CALLOUT_TEST(cr0_change_leaves),
        CALLOUT_TEST(pae_loads_pdptes),
        CALLOUT_TEST(cr2_is_storage),
        CALLOUT_TEST(cr3_without_paging),
        CALLOUT_TEST(cr4_reserved_bits),
        CALLOUT_TEST(cr4_paging_bits_flush),
        CALLOUT_TEST(no_such_register),
        CALLOUT_TEST(lmsw_sets_but_keeps_pe),
        CALLOUT_TEST(lmsw_from_memory),
        CALLOUT_TEST(smsw_widths),
        CALLOUT_TEST(smsw_over_code_leaves),
        CALLOUT_TEST(clts_leaves_only_when_set),
        CALLOUT_TEST(privileged),
        CALLOUT_TEST(invlpg_adds_the_base),
        CALLOUT_TEST(wbinvd_does_nothing),
        CALLOUT_TEST(hlt_halts),
        CALLOUT_TEST(dr_fixed_bits),
        CALLOUT_TEST(dr4_dr5_alias_without_de),
        CALLOUT_TEST(general_detect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
