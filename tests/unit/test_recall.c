/* vmm/recall.c: whatever the tables hold, a transfer that is remembered ends as it does without. */
#include "tests/unit/cpu_bench.h"

#include "vmm/recall.h"

#define OP(size) ((uint64_t)(size) << 12)
#define IMM(x)   ((uint64_t)(x) << 32)

enum { INT32 = 0x8e, TRAP32_USER = 0xef, VECTOR = 0x80, VECTOR_ERROR = 14, ERROR = 5 };
enum { RETURN_EIP = 0x4455, RETURN_ESP = 0xb0f0 };

static uint8_t memory_before[BENCH_BYTES], memory_after[BENCH_BYTES];
static struct vcpu cpu_before, cpu_after;

static void int_n(void) {
    callout_int_n(&cpu, IMM(VECTOR));
}

static void fault(void) {
    cpu_deliver(&cpu, VECTOR_ERROR, EVENT_EXCEPTION, true, ERROR);
}

static void iret(void) {
    callout_iret(&cpu, OP(4));
}

/* All of memory is in the supervisor's TLB. */
static void fill_tlb(void) {
    for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++) {
        cpu.tlb[0].rtag[i] = cpu.tlb[0].wtag[i] = i << PAGE_SHIFT;
        cpu.tlb[0].addend[i] = (uint64_t)(uintptr_t)memory;
    }
}

/* What may differ between the two ways. */
static void forget(struct vcpu *v) {
    memset(v->recall_gate, 0, sizeof v->recall_gate);
    memset(&v->recall_return, 0, sizeof v->recall_return);
    v->tables_epoch = 0;
}

static void prepare_event(void) {
    put_idt(VECTOR, CODE_0, HANDLER, TRAP32_USER);
    put_idt(VECTOR_ERROR, CODE_0, HANDLER + 0x100, INT32);
    enter_ring(3);
    vcpu_set_eflags(&cpu, EFL_IF | EFL_ZF | EFL_ID, ~0u);
    fill_tlb();
}

static void prepare_return(void) {
    const uint32_t frame[] = {RETURN_EIP, CODE_3, EFL_IF | EFL_CF | EFL_ONE, RETURN_ESP, DATA_3};

    enter_ring(0);
    force_seg(SEG_DS, DATA_3);
    force_seg(SEG_ES, DATA_3);
    memcpy(memory + cpu.gpr[ESP], frame, sizeof frame);
    fill_tlb();
}

/* Does it once for the entry and goes back to the state before. */
static void teach(void (*prepare)(void), void (*transfer)(void)) {
    static struct vcpu before;

    bench_reset(NULL);
    prepare();
    before = cpu;
    transfer();
    assert_false(cpu.exc.pending);
    memcpy(before.recall_gate, cpu.recall_gate, sizeof cpu.recall_gate);
    before.recall_return = cpu.recall_return;
    cpu = before;
    prepare(); /* what the transfer wrote */
    mmu_seen.writes = 0;
}

/* Runs the transfer with what is remembered and without. */
static void compare(void (*transfer)(void)) {
    cpu_before = cpu;
    memcpy(memory_before, memory, sizeof memory);
    transfer();
    cpu_after = cpu;
    forget(&cpu_after);
    memcpy(memory_after, memory, sizeof memory);

    cpu = cpu_before;
    memcpy(memory, memory_before, sizeof memory);
    forget(&cpu);
    for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
        cpu.tlb[0].rtag[i] = cpu.tlb[0].wtag[i] = SOFT_TLB_INVALID;
    transfer();
    forget(&cpu);
    memcpy(cpu.tlb, cpu_after.tlb, sizeof cpu.tlb);
    assert_memory_equal(&cpu, &cpu_after, sizeof cpu);
    assert_memory_equal(memory, memory_after, sizeof memory);
}

static void is_recalled(void (*prepare)(void), void (*transfer)(void)) {
    teach(prepare, transfer);
    fill_tlb();
    cpu.tables_epoch++; /* found anew */
    transfer();
    assert_false(cpu.exc.pending);
    assert_int_equal(mmu_seen.writes, 0); /* the general way writes by mmu_write() */
    teach(prepare, transfer);
    compare(transfer);
}

static void events_are_recalled(void **state) {
    (void)state;
    is_recalled(prepare_event, int_n);
    is_recalled(prepare_event, fault);
    is_recalled(prepare_return, iret);
}

/* Every bit of n bytes at `at`, one at a time. */
static void each_bit(void (*prepare)(void), void (*transfer)(void), uint32_t at, uint32_t n) {
    teach(prepare, transfer);
    static struct vcpu start;
    start = cpu;
    for (uint32_t bit = 0; bit < n * 8; bit++) {
        cpu = start;
        memory[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        compare(transfer);
        memcpy(memory, memory_before, sizeof memory);
        memory[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void any_change_of_a_table_counts(void **state) {
    (void)state;
    each_bit(prepare_event, int_n, IDT + VECTOR * 8, 8);
    each_bit(prepare_event, int_n, GDT + CODE_0, 8);
    each_bit(prepare_event, int_n, GDT + DATA_0, 8);
    each_bit(prepare_event, int_n, TSS_A + 4, 8);
    each_bit(prepare_event, fault, IDT + VECTOR_ERROR * 8, 8);
    each_bit(prepare_event, fault, TSS_A + 4, 8);
}

static void any_change_of_a_return_counts(void **state) {
    (void)state;
    each_bit(prepare_return, iret, GDT + (CODE_3 & ~7), 8);
    each_bit(prepare_return, iret, GDT + (DATA_3 & ~7), 8);
    each_bit(prepare_return, iret, STACK_0 - 0x100, 20);
}

static void with_gdt_limit(void (*prepare)(void), void (*transfer)(void)) {
    for (uint16_t limit = 0; limit <= GDT_LIMIT; limit++) {
        teach(prepare, transfer);
        cpu.gdtr.limit = limit;
        recall_tables_loaded(&cpu);
        compare(transfer);
    }
}

static void limits_count(void **state) {
    (void)state;
    with_gdt_limit(prepare_event, int_n);
    with_gdt_limit(prepare_return, iret);
    for (uint16_t limit = VECTOR * 8; limit < VECTOR * 8 + 8; limit++) {
        teach(prepare_event, int_n);
        cpu.idtr.limit = limit;
        recall_tables_loaded(&cpu);
        compare(int_n);
    }
    for (uint32_t limit = 0; limit < 16; limit++) {
        teach(prepare_event, int_n);
        cpu.tr.limit = limit;
        recall_tables_loaded(&cpu);
        compare(int_n);
    }
}

static void tables_elsewhere_count(void **state) {
    (void)state;
    teach(prepare_event, int_n);
    cpu.gdtr.base += 8;
    recall_tables_loaded(&cpu);
    compare(int_n);
    teach(prepare_event, int_n);
    cpu.idtr.base += 8;
    recall_tables_loaded(&cpu);
    compare(int_n);
    teach(prepare_event, int_n);
    cpu.tr.attr = 0x83; /* a 16-bit TSS */
    recall_tables_loaded(&cpu);
    compare(int_n);
}

static void state_counts(void **state) {
    (void)state;
    for (unsigned cpl = 0; cpl <= 1; cpl++) {
        teach(prepare_event, int_n);
        enter_ring(cpl);
        compare(int_n);
    }
    teach(prepare_event, int_n);
    enter_v86(3);
    compare(int_n);
    teach(prepare_event, int_n);
    vcpu_set_eflags(&cpu, EFL_TF | EFL_NT | EFL_RF | EFL_AC, ~0u);
    compare(int_n);

    teach(prepare_event, fault);
    callout_int_n(&cpu, IMM(VECTOR_ERROR)); /* the gate's DPL is 0 */
    assert_fault(VEC_GP, VECTOR_ERROR * 8 + 2);

    teach(prepare_return, iret);
    vcpu_set_eflags(&cpu, EFL_NT, EFL_NT);
    compare(iret);
    teach(prepare_return, iret);
    force_seg(SEG_SS, DATA16_0);
    compare(iret);
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++) {
        if (sreg == SEG_CS || sreg == SEG_SS)
            continue;
        teach(prepare_return, iret);
        force_seg(sreg, DATA_0); /* CPL 3 may not keep it */
        compare(iret);
        teach(prepare_return, iret);
        force_seg(sreg, CONFORMING_0);
        compare(iret);
    }
    cpu.cpl = 3;
    enter_ring(3);
    compare(iret);
}

static void what_the_tlb_does_not_know_is_not_recalled(void **state) {
    (void)state;
    teach(prepare_event, int_n);
    for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
        cpu.tlb[0].rtag[i] = cpu.tlb[0].wtag[i] = SOFT_TLB_INVALID;
    recall_tables_loaded(&cpu);
    page_state[IDT >> PAGE_SHIFT] = PAGE_ABSENT;
    int_n();
    assert_fault(VEC_PF, 0);

    teach(prepare_event, int_n);
    cpu.tlb[0].wtag[(STACK_0 - 1) >> PAGE_SHIFT] = SOFT_TLB_INVALID;
    page_state[(STACK_0 - 1) >> PAGE_SHIFT] = PAGE_READ_ONLY;
    int_n();
    assert_fault(VEC_PF, PFERR_P | PFERR_W);
}

/* The frame may overwrite the very tables that an entry is made from. */
static void a_stack_over_the_tables(void **state) {
    (void)state;
    for (uint32_t esp = GDT; esp < GDT + 0x40; esp += 4) {
        bench_reset(NULL);
        prepare_event();
        poke32(TSS_A + 4, esp);
        int_n();
        if (cpu.exc.pending)
            continue;
        enter_ring(3);
        compare(int_n);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, bench_reset)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(events_are_recalled),
        TEST(any_change_of_a_table_counts),
        TEST(any_change_of_a_return_counts),
        TEST(limits_count),
        TEST(tables_elsewhere_count),
        TEST(state_counts),
        TEST(what_the_tlb_does_not_know_is_not_recalled),
        TEST(a_stack_over_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
