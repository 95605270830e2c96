/*
 * Transfers of control among random descriptors, gates and stacks: each either completes in a state
 * the architecture allows or faults and changes nothing but accessed bits (SDM vol. 3A chapter 5).
 */
#include "tests/unit/cpu_bench.h"

#define OP(size) ((uint64_t)(size) << 12)
#define IMM(x)   ((uint64_t)(x) << 32)

enum { ROUNDS = 100000, TABLE_BYTES = GDT_LIMIT + 1 };

static uint32_t seed;

static uint32_t roll(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

static uint16_t any_selector(void) {
    return (uint16_t)(roll(TABLE_BYTES / 8 + 1) * 8 + roll(4) + (roll(16) == 0 ? 4 : 0));
}

static uint32_t any_offset(void) {
    static const uint32_t edges[] = {0, HANDLER, 0xfff, 0x1000, 0xffff, 0x10000, 0xffffffff};

    return edges[roll(sizeof edges / sizeof edges[0])];
}

/* Breaks a few of the tables' entries. */
static void disturb_tables(void) {
    for (unsigned n = roll(4); n > 0; n--)
        memory[GDT + 8 + roll(TABLE_BYTES - 8)] ^= (uint8_t)(1u << roll(8));
    for (unsigned vector = 0; vector < 32; vector++)
        put_idt(vector, any_selector(), any_offset(), (uint8_t)(0x80 | roll(4) << 5 | roll(16)));
    poke32(TSS_A + 8, any_selector());
    if (roll(4) == 0)
        page_state[(STACK_0 - 1) >> 12] = (uint8_t)(PAGE_ABSENT + roll(2));
    if (roll(8) == 0)
        page_state[GDT >> 12] = PAGE_READ_ONLY;
}

static void disturb_stack(void) {
    static const uint16_t likely[] = {CODE_0, CODE_3, DATA_0, DATA_3, CODE_1, DATA_1, CONFORMING_0};

    for (uint32_t at = cpu.gpr[ESP]; at < cpu.gpr[ESP] + 48; at += 4) {
        if (roll(3) == 0)
            poke32(at, likely[roll(7)]);
        else
            poke32(at, roll(2) ? any_selector() : any_offset() & ~EFL_VM);
    }
}

static void do_jmp(void) {
    cpu.val = any_selector();
    callout_jmp_far(&cpu, OP(roll(2) ? 4 : 2) | IMM(any_offset()));
}

static void do_call(void) {
    cpu.val = any_selector();
    callout_call_far(&cpu, OP(roll(2) ? 4 : 2) | IMM(any_offset()));
}

static void do_ret(void) {
    callout_ret_far(&cpu, OP(roll(2) ? 4 : 2) | IMM(roll(3) * 4));
}

static void do_iret(void) {
    callout_iret(&cpu, OP(roll(2) ? 4 : 2));
}

static void do_int(void) {
    callout_int_n(&cpu, IMM(roll(33)));
}

static void do_event(void) {
    cpu_deliver(&cpu, roll(33), roll(2) ? EVENT_EXCEPTION : EVENT_EXTERNAL, roll(2), roll(0x10000));
}

static void do_load(void) {
    static const uint8_t data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};

    cpu.val = any_selector();
    callout_mov_to_sreg(&cpu, data[roll(5)] | OP(2));
}

static void (*transfer(void))(void) {
    static void (*const all[])(void) = {do_jmp, do_call,  do_ret, do_iret,
                                        do_int, do_event, do_load};

    return all[roll(sizeof all / sizeof all[0])];
}

static void assert_allowed_state(void) {
    const struct seg *cs = &cpu.seg[SEG_CS], *ss = &cpu.seg[SEG_SS];

    assert_int_equal(cpu.cpl, cs->sel & 3);
    assert_int_equal(cs->attr & (SEG_P | SEG_S | SEG_CODE), SEG_P | SEG_S | SEG_CODE);
    assert_true(cs->attr & SEG_E ? (cs->attr >> 5 & 3) <= cpu.cpl : (cs->attr >> 5 & 3) == cpu.cpl);
    assert_int_equal(ss->attr & (SEG_P | SEG_S | SEG_CODE | SEG_W), SEG_P | SEG_S | SEG_W);
    assert_int_equal(ss->attr >> 5 & 3, cpu.cpl);
    assert_int_equal(ss->sel & 3, cpu.cpl);
    assert_true(cpu.eip <= cs->limit || cpu.eip == cpu.next_eip);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct seg *s = &cpu.seg[i];
        bool conforming = (s->attr & (SEG_CODE | SEG_E)) == (SEG_CODE | SEG_E);

        assert_int_equal(cpu.seg_base[i], s->base);
        if (s->attr & SEG_P) {
            assert_true(s->attr & SEG_A);
            assert_true(conforming || (s->attr >> 5 & 3) >= cpu.cpl);
        }
    }
}

/* Only accessed bits of the tables may differ. */
static void assert_memory_kept(const uint8_t *before) {
    for (uint32_t i = 0; i < TABLE_BYTES; i++) {
        if (i % 8 == 5)
            assert_int_equal(memory[GDT + i] & ~SEG_A, before[GDT + i] & ~SEG_A);
        else
            assert_int_equal(memory[GDT + i], before[GDT + i]);
    }
    assert_memory_equal(memory + IDT, before + IDT, 0x10000 - IDT);
}

static void every_transfer_completes_or_leaves_no_trace(void **state) {
    static uint8_t before[BENCH_BYTES];
    static struct vcpu old;
    unsigned completed = 0, faulted = 0;

    seed = 20240607;
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 4 == 0) {
            bench_reset(state);
            enter_ring(roll(3) == 0 ? 0 : 3);
            disturb_tables();
        }
        disturb_stack();
        memcpy(before + 0x1000, memory + 0x1000, 0xf000);
        old = cpu;
        transfer()();
        if (cpu.tr.sel != old.tr.sel) {
            round |= 3; /* a task switch has its own tests; start afresh */
            continue;
        }
        if (cpu.exc.pending) {
            faulted++;
            old.exc = cpu.exc;
            old.val = cpu.val;
            assert_memory_equal(&old, &cpu, sizeof cpu);
            assert_memory_kept(before);
            cpu.exc.pending = false;
        } else if (!(cpu.sysflags & EFL_VM)) {
            completed++;
            assert_allowed_state();
        }
        if (cpu.gpr[ESP] > 0xf000 || cpu.gpr[ESP] < 0x4000 || cpu.seg_base[SEG_SS] ||
            (cpu.sysflags & EFL_VM))
            round |= 3;
    }
    assert_true(completed > ROUNDS / 20);
    assert_true(faulted > ROUNDS / 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transfer_completes_or_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
