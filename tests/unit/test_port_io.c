/* vmm/port_io.c: permissions, IN/OUT, INS/OUTS, I/O breakpoints. */
#include "tests/unit/callout_bench.h"
#include "vmm/debug_trap.h"

#define IMM_PORT(p)   A_IMM(p)
#define DX_PORT       A_RM(1)
#define REP_INSTR(sz) (A_OP(sz) | A_AD(4) | A_REP(CO_REP_E) | A_SEG(SEG_DS))
#define ONE_INSTR(sz) (A_OP(sz) | A_AD(4) | A_SEG(SEG_DS))

enum { BITMAP = 0x68, BUFFER = 0x20000 };

/* -- IN and OUT -- */

static void in_merges_by_size(void **state) {
    (void)state;
    ports.next_read = 0x11223344;
    cpu.gpr[EAX] = 0xaaaaaaaa;
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x60) | A_OP(1)));
    assert_int_equal(cpu.gpr[EAX], 0xaaaaaa44);
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x60) | A_OP(2)));
    assert_int_equal(cpu.gpr[EAX], 0xaaaa3345);
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x60) | A_OP(4)));
    assert_int_equal(cpu.gpr[EAX], 0x11223346);
}

static void out_takes_port_and_size(void **state) {
    (void)state;
    cpu.gpr[EAX] = 0x89abcdef;
    cpu.gpr[EDX] = 0xffff03f8;
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)));
    EXPECT_NEXT(callout_out(&cpu, DX_PORT | A_OP(2)));
    EXPECT_NEXT(callout_out(&cpu, DX_PORT | A_OP(4)));
    assert_int_equal(ports.write[0].port, 0x80);
    assert_int_equal(ports.write[0].size, 1);
    assert_int_equal(ports.write[0].value, 0xef);
    assert_int_equal(ports.write[1].port, 0x3f8);
    assert_int_equal(ports.write[1].value, 0xcdef);
    assert_int_equal(ports.write[2].size, 4);
    assert_int_equal(ports.write[2].value, 0x89abcdef);
}

static void power_off_leaves(void **state) {
    (void)state;
    ports.stop_after = 1;
    EXPECT_LEAVE(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)));
}

/* What the access has raised is delivered before the next instruction, if it can be. */
static void interrupts_leave(void **state) {
    (void)state;
    cpu.intr_line = true; /* as if by the device */
    vcpu_set_eflags(&cpu, 0, EFL_IF);
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)));
    vcpu_set_eflags(&cpu, EFL_IF, EFL_IF);
    EXPECT_LEAVE(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)));
    EXPECT_LEAVE(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)));
    cpu.shadow = SHADOW_STI;
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)));
}

/* -- permission -- */

static void user_with_bitmap(uint32_t limit) {
    enter_ring(3);
    vcpu_set_eflags(&cpu, EFL_IF, ~0u);
    poke16(TSS_A + 102, BITMAP);
    cpu.tr.limit = limit;
}

static void iopl_allows(void **state) {
    (void)state;
    enter_ring(3);
    vcpu_set_eflags(&cpu, 3u << 12, EFL_IOPL);
    cpu.tr.attr = 0;
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)));
    vcpu_set_eflags(&cpu, 2u << 12, EFL_IOPL);
    EXPECT_FAULT(callout_out(&cpu, IMM_PORT(0x80) | A_OP(1)), VEC_GP, 0);
    assert_int_equal(ports.writes, 1);
}

static void bitmap_is_per_bit(void **state) {
    (void)state;
    user_with_bitmap(BITMAP + 0x20);
    memory[TSS_A + BITMAP + 0x10] = 0xfe; /* port 80h allowed, 81h-87h not */
    memory[TSS_A + BITMAP + 0x11] = 0x00;
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)));
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0x81) | A_OP(1)), VEC_GP, 0);
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(2)), VEC_GP, 0);
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x88) | A_OP(4)));
    /* an access that reaches into the next byte of the map */
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0x7f) | A_OP(4)), VEC_GP, 0);
    assert_int_equal(ports.reads, 2);
}

static void bitmap_needs_a_byte_more(void **state) {
    (void)state;
    user_with_bitmap(BITMAP + 0x10);
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x7f) | A_OP(1)));
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)), VEC_GP, 0);
    cpu.tr.limit = 102;
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0) | A_OP(1)), VEC_GP, 0);
}

static void bitmap_needs_a_32_bit_tss(void **state) {
    (void)state;
    user_with_bitmap(BITMAP + 0x20);
    cpu.tr.attr = 0x83;
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)), VEC_GP, 0);
    cpu.tr.attr = 0x89;
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)));
}

static void bitmap_page_can_fault(void **state) {
    (void)state;
    user_with_bitmap(0x2fff);
    page_state[(TSS_A + 0x1000) >> 12] = PAGE_ABSENT;
    cpu.gpr[EDX] = 0x8000;
    EXPECT_FAULT(callout_in(&cpu, DX_PORT | A_OP(1)), VEC_PF, 0);
}

static void v86_always_asks_the_bitmap(void **state) {
    (void)state;
    user_with_bitmap(BITMAP + 0x20);
    enter_v86(3);
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)));
    memory[TSS_A + BITMAP + 0x10] = 0x01;
    EXPECT_FAULT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)), VEC_GP, 0);
    EXPECT_FAULT(callout_ins(&cpu, A_OP(1) | A_AD(2)), VEC_GP, 0);
}

static void real_mode_asks_nobody(void **state) {
    (void)state;
    cpu.cr0 = CR0_ET;
    cpu.tr.attr = 0;
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x80) | A_OP(1)));
}

/* -- INS and OUTS -- */

static void transfer(uint32_t at, uint32_t count) {
    cpu.gpr[EDX] = 0x1f0;
    cpu.gpr[ECX] = count;
    cpu.gpr[ESI] = at;
    cpu.gpr[EDI] = at;
}

static void ins_fills_over_pages(void **state) {
    (void)state;
    ports.next_read = 0x100;
    transfer(BUFFER + 0xfff, 256); /* one element crosses pages */
    EXPECT_NEXT(callout_ins(&cpu, REP_INSTR(2)));
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(peek16(BUFFER + 0xfff + 2 * i), 0x100 + i);
    assert_int_equal(ports.reads, 256);
    assert_int_equal(cpu.gpr[EDI], BUFFER + 0xfff + 512);
    assert_int_equal(cpu.gpr[ECX], 0);
}

static void outs_goes_down_with_df(void **state) {
    (void)state;
    cpu.flags |= EFL_DF;
    poke32(BUFFER, 0x11111111);
    poke32(BUFFER + 4, 0x22222222);
    transfer(BUFFER + 4, 2);
    EXPECT_NEXT(callout_outs(&cpu, REP_INSTR(4)));
    assert_int_equal(ports.writes, 2);
    assert_int_equal(ports.write[0].value, 0x22222222);
    assert_int_equal(ports.write[1].value, 0x11111111);
    assert_int_equal(ports.write[0].port, 0x1f0);
    assert_int_equal(cpu.gpr[ESI], BUFFER - 4);
}

static void without_rep_once(void **state) {
    (void)state;
    transfer(BUFFER, 77);
    memory[BUFFER] = 0x5a;
    EXPECT_NEXT(callout_outs(&cpu, ONE_INSTR(1)));
    assert_int_equal(ports.writes, 1);
    assert_int_equal(ports.write[0].value, 0x5a);
    assert_int_equal(cpu.gpr[ECX], 77);
    assert_int_equal(cpu.gpr[ESI], BUFFER + 1);
}

static void address_size_wraps(void **state) {
    (void)state;
    ports.next_read = 1;
    transfer(0x5555ffff, 0x70002);
    EXPECT_NEXT(callout_ins(&cpu, A_OP(1) | A_AD(2) | A_REP(CO_REP_E)));
    assert_int_equal(memory[0xffff], 1);
    assert_int_equal(memory[0], 2);
    assert_int_equal(cpu.gpr[EDI], 0x55550001);
    assert_int_equal(cpu.gpr[ECX], 0x70000);
}

/* The value of a port must not be lost to a fault. */
static void ins_faults_before_the_read(void **state) {
    (void)state;
    page_state[(BUFFER >> 12) + 1] = PAGE_ABSENT;
    transfer(BUFFER + 0xff8, 8);
    assert_int_equal(callout_ins(&cpu, REP_INSTR(2)), CALLOUT_EXIT);
    assert_fault(VEC_PF, PFERR_W);
    assert_int_equal(ports.reads, 4);
    assert_int_equal(cpu.gpr[ECX], 4);
    assert_int_equal(cpu.gpr[EDI], BUFFER + 0x1000);
    assert_int_equal(cpu.eip, 0x4000);

    cpu.exc.pending = false;
    page_state[BUFFER >> 12] = PAGE_DEVICE;
    transfer(BUFFER + 0xfff, 1);
    assert_int_equal(callout_ins(&cpu, REP_INSTR(2)), CALLOUT_EXIT);
    assert_fault(VEC_PF, PFERR_W);
    assert_int_equal(ports.reads, 4);
}

static void segment_limit_faults(void **state) {
    (void)state;
    cpu.seg[SEG_DS].limit = BUFFER + 1;
    transfer(BUFFER, 8);
    assert_int_equal(callout_outs(&cpu, REP_INSTR(1)), CALLOUT_EXIT);
    assert_fault(VEC_GP, 0);
    assert_int_equal(ports.writes, 2);
    assert_int_equal(cpu.gpr[ECX], 6);
}

static void kick_restarts_exactly(void **state) {
    (void)state;
    ports.kick_after = 3;
    transfer(BUFFER, 8);
    assert_int_equal(callout_ins(&cpu, REP_INSTR(4)), CALLOUT_EXIT);
    assert_false(cpu.exc.pending);
    assert_int_equal(cpu.eip, 0x4000);
    assert_int_equal(cpu.gpr[ECX], 5);
    assert_int_equal(cpu.gpr[EDI], BUFFER + 12);
    bench_vm.kicked = false;
    EXPECT_NEXT(callout_ins(&cpu, REP_INSTR(4)));
    assert_int_equal(ports.reads, 8);
    assert_int_equal(peek32(BUFFER + 28), 7);
}

static void ins_over_code_leaves(void **state) {
    (void)state;
    page_state[BUFFER >> 12] = PAGE_CODE;
    transfer(BUFFER, 8);
    EXPECT_LEAVE(callout_ins(&cpu, REP_INSTR(4)));
    assert_int_equal(peek32(BUFFER + 28), 7);
}

/* -- breakpoints -- */

static void arm(uint16_t port, unsigned length_code) {
    cpu.cr4 = CR4_DE;
    cpu.dr[1] = port;
    cpu.dr[7] = 0x400 | 1u << 2 | (2u | length_code << 2) << 20;
}

static void io_breakpoint_traps(void **state) {
    (void)state;
    arm(0x70, 1); /* 70h-71h */
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x72) | A_OP(1)));
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x6e) | A_OP(2)));
    assert_int_equal(cpu.dr6_hits, 0);
    EXPECT_NEXT(callout_out(&cpu, IMM_PORT(0x6e) | A_OP(4)));
    assert_int_equal(cpu.dr6_hits, 2);
    assert_int_equal(ports.writes, 3);
    debug_raise_due(&cpu);
    assert_fault(VEC_DB, -1);
    assert_int_equal(cpu.dr[6], 0xffff0ff2);
    assert_int_equal(cpu.dr6_hits, 0);
}

static void io_breakpoint_needs_de(void **state) {
    (void)state;
    arm(0x70, 0);
    cpu.cr4 = 0;
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x70) | A_OP(1)));
    arm(0x70, 0);
    cpu.dr[7] &= ~(1u << 2);
    EXPECT_NEXT(callout_in(&cpu, IMM_PORT(0x70) | A_OP(1)));
    assert_int_equal(cpu.dr6_hits, 0);
}

static void io_breakpoint_between_elements(void **state) {
    (void)state;
    arm(0x1f0, 0);
    transfer(BUFFER, 2);
    assert_int_equal(callout_ins(&cpu, REP_INSTR(1)), CALLOUT_EXIT);
    assert_int_equal(cpu.eip, 0x4000);
    assert_int_equal(cpu.gpr[ECX], 1);
    assert_int_equal(cpu.dr6_hits, 2);
    assert_true(cpu.sysflags & EFL_RF);
    cpu.dr6_hits = 0;
    EXPECT_LEAVE(callout_ins(&cpu, REP_INSTR(1)));
    assert_int_equal(cpu.gpr[ECX], 0);
    assert_int_equal(cpu.dr6_hits, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(in_merges_by_size),
        CALLOUT_TEST(out_takes_port_and_size),
        CALLOUT_TEST(interrupts_leave),
        CALLOUT_TEST(power_off_leaves),
        CALLOUT_TEST(iopl_allows),
        CALLOUT_TEST(bitmap_is_per_bit),
        CALLOUT_TEST(bitmap_needs_a_byte_more),
        CALLOUT_TEST(bitmap_needs_a_32_bit_tss),
        CALLOUT_TEST(bitmap_page_can_fault),
        CALLOUT_TEST(v86_always_asks_the_bitmap),
        CALLOUT_TEST(real_mode_asks_nobody),
        CALLOUT_TEST(ins_fills_over_pages),
        CALLOUT_TEST(outs_goes_down_with_df),
        CALLOUT_TEST(without_rep_once),
        CALLOUT_TEST(address_size_wraps),
        CALLOUT_TEST(ins_faults_before_the_read),
        CALLOUT_TEST(segment_limit_faults),
        CALLOUT_TEST(kick_restarts_exactly),
        CALLOUT_TEST(ins_over_code_leaves),
        CALLOUT_TEST(io_breakpoint_traps),
        CALLOUT_TEST(io_breakpoint_needs_de),
        CALLOUT_TEST(io_breakpoint_between_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
