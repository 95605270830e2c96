/*
 * vmm/string.c, string_span.c: MOVS, STOS, LODS, CMPS, SCAS against a model that does one element
 * at a time, over pages of every kind; then single properties.
 */
#include <stdlib.h>

#include "tests/unit/callout_bench.h"

enum { MOVS, STOS, LODS, CMPS, SCAS, KINDS };
enum { ARENA = 0x20000, ARENA_PAGES = 8, ARENA_BYTES = ARENA_PAGES * 4096 };

static const callout_fn callouts[KINDS] = {callout_movs, callout_stos, callout_lods, callout_cmps,
                                           callout_scas};

/* -- the model -- */

/* What the architecture says, slowly: memory and registers of its own. */
struct model {
    uint8_t memory[BENCH_BYTES];
    uint32_t eax, ecx, esi, edi, flags;
    bool fault;
};

static struct model model;

static uint32_t model_mask(uint64_t arg) {
    return CO_ADSIZE(arg) == 2 ? 0xffff : 0xffffffff;
}

static bool model_page_ok(gla_t gla, unsigned size, bool write) {
    for (unsigned i = 0; i < size; i++) {
        uint8_t state = page_state[(gla + i) >> 12];

        if (state == PAGE_ABSENT || (write && state == PAGE_READ_ONLY))
            return false;
    }
    return true;
}

/* Limit check and page check of one element. */
static bool model_address(unsigned sreg, uint32_t off, unsigned size, bool write, gla_t *gla) {
    const struct seg *s = &cpu.seg[sreg];

    *gla = s->base + off;
    /* A 4 GiB segment wraps. */
    return (s->limit == 0xffffffff || (uint64_t)off + size - 1 <= s->limit) &&
           model_page_ok(*gla, size, write);
}

static void model_step(uint32_t *reg, uint64_t arg) {
    uint32_t delta = model.flags & EFL_DF ? 0u - CO_OPSIZE(arg) : CO_OPSIZE(arg);
    uint32_t mask = model_mask(arg);

    *reg = (*reg & ~mask) | ((*reg + delta) & mask);
}

/* The flags of a - b by the host's own subtraction. */
static uint32_t model_flags(uint32_t a, uint32_t b, unsigned size) {
    uint64_t out;

    if (size == 1)
        __asm__("cmpb %b2, %b1\n\tpushfq\n\tpopq %0" : "=r"(out) : "q"(a), "q"(b) : "cc");
    else if (size == 2)
        __asm__("cmpw %w2, %w1\n\tpushfq\n\tpopq %0" : "=r"(out) : "r"(a), "r"(b) : "cc");
    else
        __asm__("cmpl %2, %1\n\tpushfq\n\tpopq %0" : "=r"(out) : "r"(a), "r"(b) : "cc");
    return (uint32_t)out & EFL_ARITH;
}

/* One element. False: fault, or the repeat condition says stop (*stop). */
static bool model_element(unsigned kind, uint64_t arg, bool *stop) {
    unsigned size = CO_OPSIZE(arg);
    bool uses_src = kind == MOVS || kind == LODS || kind == CMPS;
    bool uses_dst = kind != LODS;
    uint32_t mask = model_mask(arg), a = model.eax, b = 0;
    gla_t src = 0, dst = 0;

    if ((uses_src && !model_address(CO_SEG(arg), model.esi & mask, size, false, &src)) ||
        (uses_dst && !model_address(SEG_ES, model.edi & mask, size, kind < LODS, &dst))) {
        model.fault = true;
        return false;
    }
    if (uses_src) {
        a = 0;
        memcpy(&a, model.memory + src, size);
        model_step(&model.esi, arg);
    }
    if (kind >= CMPS)
        memcpy(&b, model.memory + dst, size);
    if (uses_dst)
        model_step(&model.edi, arg);
    if (kind == MOVS || kind == STOS)
        memcpy(model.memory + dst, &a, size);
    if (kind == LODS)
        memcpy(&model.eax, &a, size);
    if (kind >= CMPS) {
        model.flags = (model.flags & ~EFL_ARITH) | model_flags(a, b, size);
        bool equal = model.flags & EFL_ZF;
        *stop = equal ? CO_REP(arg) == CO_REP_NE : CO_REP(arg) == CO_REP_E;
    }
    return true;
}

static void model_run(unsigned kind, uint64_t arg) {
    uint32_t mask = model_mask(arg);
    bool stop = false;

    if (CO_REP(arg) == CO_REP_NONE) {
        model_element(kind, arg, &stop);
        return;
    }
    while ((model.ecx & mask) && !stop && model_element(kind, arg, &stop))
        model.ecx = (model.ecx & ~mask) | ((model.ecx - 1) & mask);
}

/* -- random comparison -- */

static uint32_t seed;

static uint32_t random_below(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static void random_pages(void) {
    static const uint8_t kinds[] = {PAGE_OK,   PAGE_OK,        PAGE_OK,     PAGE_OK,
                                    PAGE_CODE, PAGE_READ_ONLY, PAGE_DEVICE, PAGE_ABSENT};

    for (unsigned i = 0; i < ARENA_PAGES; i++)
        page_state[ARENA / 4096 + i] = kinds[random_below(8)];
}

static void random_memory(void) {
    /* Long equal runs, so that comparisons get somewhere. */
    bool varied = random_below(2);

    for (unsigned i = 0; i < ARENA_BYTES; i++)
        memory[ARENA + i] = (uint8_t)(varied ? random_below(256) : random_below(2000) == 0);
}

/* An offset that often lies near a page's or the 64 KiB boundary. */
static uint32_t random_offset(void) {
    uint32_t page = random_below(ARENA_PAGES) * 4096;

    return random_below(2) ? page + random_below(4096) : page + random_below(16) - 8;
}

static uint64_t random_setup(unsigned kind) {
    static const unsigned sizes[] = {1, 2, 4};
    bool narrow = random_below(4) == 0;
    struct seg flat = {.attr = 0x93, .base = ARENA, .limit = 0xffffffff};
    uint32_t distance = random_below(3) ? random_offset() : random_below(9);

    if (random_below(4) == 0)
        flat.limit = random_offset();
    vcpu_set_seg(&cpu, SEG_ES, &flat);
    flat.limit = random_below(4) ? 0xffffffff : random_offset();
    vcpu_set_seg(&cpu, SEG_DS, &flat);
    cpu.gpr[EAX] = random_below(2) ? 0 : random_below(1u << 24) * 257;
    cpu.gpr[ESI] = random_offset() & 0xffff;
    cpu.gpr[EDI] = (random_below(2) ? cpu.gpr[ESI] + distance : cpu.gpr[ESI] - distance) & 0x7fff;
    cpu.gpr[ECX] = random_below(8) ? random_below(6000) : random_below(3);
    if (narrow) {
        cpu.gpr[ESI] |= 0xabcd0000;
        cpu.gpr[EDI] |= 0x12340000;
        cpu.gpr[ECX] |= 0x70000;
    }
    vcpu_set_eflags(&cpu, EFL_CF | EFL_OF | (random_below(2) ? EFL_DF : 0), ~0u);

    unsigned rep = random_below(4) == 0              ? CO_REP_NONE
                   : kind >= CMPS && random_below(2) ? CO_REP_NE
                                                     : CO_REP_E;

    return A_OP(sizes[random_below(3)]) | A_AD(narrow ? 2u : 4u) | A_REP(rep) | A_SEG(SEG_DS);
}

static void run_to_end(unsigned kind, uint64_t arg) {
    enum callout_result result;

    do {
        cpu.eip = 0x4000;
        cpu.next_eip = 0x4002;
        result = callouts[kind](&cpu, arg);
    } while (result == CALLOUT_EXIT && cpu.eip == 0x4000 && !cpu.exc.pending);
}

static void compare_once(unsigned kind) {
    random_pages();
    random_memory();

    uint64_t arg = random_setup(kind);

    bench_vm.kicked = random_below(4) == 0;
    memcpy(model.memory, memory, sizeof memory);
    model.eax = cpu.gpr[EAX];
    model.ecx = cpu.gpr[ECX];
    model.esi = cpu.gpr[ESI];
    model.edi = cpu.gpr[EDI];
    model.flags = cpu.flags;
    model.fault = false;
    model_run(kind, arg);
    run_to_end(kind, arg);

    assert_int_equal(cpu.exc.pending, model.fault);
    assert_int_equal(cpu.gpr[EAX], model.eax);
    assert_int_equal(cpu.gpr[ECX], model.ecx);
    assert_int_equal(cpu.gpr[ESI], model.esi);
    assert_int_equal(cpu.gpr[EDI], model.edi);
    assert_int_equal(cpu.flags, model.flags);
    assert_memory_equal(memory, model.memory, sizeof memory);
}

static void compare_many(unsigned kind) {
    for (unsigned i = 0; i < 1500; i++) {
        seed = kind * 100000 + i;
        cpu.exc.pending = false;
        compare_once(kind);
    }
}

static void movs_as_model(void **state) {
    (void)state;
    compare_many(MOVS);
}

static void stos_as_model(void **state) {
    (void)state;
    compare_many(STOS);
}

static void lods_as_model(void **state) {
    (void)state;
    compare_many(LODS);
}

static void cmps_as_model(void **state) {
    (void)state;
    compare_many(CMPS);
}

static void scas_as_model(void **state) {
    (void)state;
    compare_many(SCAS);
}

/* -- single properties -- */

#define REP_BYTE (A_OP(1) | A_AD(4) | A_REP(CO_REP_E) | A_SEG(SEG_DS))

static void registers(uint32_t esi, uint32_t edi, uint32_t ecx) {
    cpu.gpr[ESI] = esi;
    cpu.gpr[EDI] = edi;
    cpu.gpr[ECX] = ecx;
}

static void nothing_to_do(void **state) {
    (void)state;
    page_state[ARENA >> 12] = PAGE_ABSENT;
    registers(ARENA, ARENA, 0);
    cpu.flags = EFL_CF;
    for (unsigned kind = 0; kind < KINDS; kind++)
        EXPECT_NEXT(callouts[kind](&cpu, REP_BYTE));
    assert_int_equal(cpu.flags, EFL_CF);
}

static void overlap_replicates(void **state) {
    (void)state;
    memory[ARENA] = 'a';
    memory[ARENA + 1] = 'b';
    registers(ARENA, ARENA + 2, 5000);
    EXPECT_NEXT(callout_movs(&cpu, REP_BYTE));
    for (unsigned i = 0; i < 5002; i++)
        assert_int_equal(memory[ARENA + i], i & 1 ? 'b' : 'a');
}

static void fault_is_exact(void **state) {
    (void)state;
    page_state[(ARENA >> 12) + 1] = PAGE_ABSENT;
    registers(0x8000, ARENA + 0xff0, 0x100);
    assert_int_equal(callout_movs(&cpu, REP_BYTE), CALLOUT_EXIT);
    assert_fault(VEC_PF, PFERR_W);
    assert_int_equal(cpu.exc.cr2, ARENA + 0x1000);
    assert_int_equal(cpu.gpr[ECX], 0xf0);
    assert_int_equal(cpu.gpr[ESI], 0x8010);
    assert_int_equal(cpu.gpr[EDI], ARENA + 0x1000);
    assert_int_equal(cpu.eip, 0x4000);
}

static void source_segment_is_honoured(void **state) {
    const struct seg fs = {.attr = 0x93, .base = 0x10000, .limit = 0xf};

    (void)state;
    vcpu_set_seg(&cpu, SEG_FS, &fs);
    memcpy(memory + 0x10000, "0123456789abcdefX", 17);
    registers(0, ARENA, 17);
    assert_int_equal(callout_movs(&cpu, A_OP(1) | A_AD(4) | A_REP(CO_REP_E) | A_SEG(SEG_FS)),
                     CALLOUT_EXIT);
    assert_fault(VEC_GP, 0);
    assert_int_equal(cpu.gpr[ECX], 1);
    assert_memory_equal(memory + ARENA, "0123456789abcdef\0", 17);
}

static void user_may_not_write_supervisor_pages(void **state) {
    (void)state;
    page_state[ARENA >> 12] = PAGE_SUPERVISOR;
    enter_ring(3);
    registers(0x8000, ARENA, 4);
    EXPECT_FAULT(callout_stos(&cpu, REP_BYTE), VEC_PF, PFERR_P | PFERR_W | PFERR_U);
    EXPECT_FAULT(callout_movs(&cpu, REP_BYTE), VEC_PF, PFERR_P | PFERR_W | PFERR_U);
}

static void yields_when_kicked(void **state) {
    (void)state;
    bench_vm.kicked = true;
    registers(0, ARENA, 3 * 4096);
    assert_int_equal(callout_stos(&cpu, REP_BYTE), CALLOUT_EXIT);
    assert_false(cpu.exc.pending);
    assert_int_equal(cpu.eip, 0x4000);
    assert_int_equal(cpu.gpr[ECX], 2 * 4096);
    assert_int_equal(cpu.gpr[EDI], ARENA + 4096);
    bench_vm.kicked = false;
    EXPECT_NEXT(callout_stos(&cpu, REP_BYTE));
    assert_int_equal(cpu.gpr[ECX], 0);
}

static void writing_code_leaves(void **state) {
    (void)state;
    page_state[ARENA >> 12] = PAGE_CODE;
    registers(0, ARENA, 16);
    EXPECT_LEAVE(callout_stos(&cpu, REP_BYTE));
    page_state[ARENA >> 12] = PAGE_CODE;
    registers(ARENA, 0x8000, 16);
    EXPECT_NEXT(callout_movs(&cpu, REP_BYTE));
}

static void expand_down_destination(void **state) {
    (void)state;
    force_seg(SEG_ES, EXPAND_DOWN_0); /* offsets above 0fffh are valid */
    registers(0, 0x1000, 8);
    cpu.gpr[EAX] = 0x5a;
    EXPECT_NEXT(callout_stos(&cpu, REP_BYTE));
    assert_int_equal(memory[0x1007], 0x5a);
    registers(0, 0xfff, 1);
    EXPECT_FAULT(callout_stos(&cpu, REP_BYTE), VEC_GP, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(movs_as_model),
        CALLOUT_TEST(stos_as_model),
        CALLOUT_TEST(lods_as_model),
        CALLOUT_TEST(cmps_as_model),
        CALLOUT_TEST(scas_as_model),
        CALLOUT_TEST(nothing_to_do),
        CALLOUT_TEST(overlap_replicates),
        CALLOUT_TEST(fault_is_exact),
        CALLOUT_TEST(source_segment_is_honoured),
        CALLOUT_TEST(user_may_not_write_supervisor_pages),
        CALLOUT_TEST(yields_when_kicked),
        CALLOUT_TEST(writing_code_leaves),
        CALLOUT_TEST(expand_down_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
