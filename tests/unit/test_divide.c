/* vmm/divide.c, beside arithmetic twice as wide. */
#include "tests/unit/callout_bench.h"

enum { DIV = 6, IDIV = 7, CASES = 20000 };

/* Numbers near the edges, and any. */
static uint32_t next(uint64_t *state) {
    static const uint32_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff};
    uint32_t pick, number;

    *state = *state * 6364136223846793005u + 1442695040888963407u;
    pick = (uint32_t)(*state >> 60);
    number = (uint32_t)(*state >> 28);
    return pick < 10 ? edges[pick] : pick < 12 ? 0 - (number & 0xff) : number;
}

/* Does the quotient fit? By arithmetic twice as wide as the dividend. */
static bool fits(bool is_signed, unsigned size, uint32_t eax, uint32_t edx, uint32_t by) {
    unsigned bits = 8 * size;
    uint64_t low = eax & (0xffffffffu >> (32 - bits)), high = edx & (0xffffffffu >> (32 - bits));
    uint64_t n = size == 1 ? eax & 0xffff : high << bits | low;

    by &= 0xffffffffu >> (32 - bits);
    if (by == 0)
        return false;
    if (!is_signed)
        return n / by < 1ull << bits;
    __int128 wide = (__int128)(int64_t)(n << (64 - 2 * bits)) >> (64 - 2 * bits);
    __int128 q = wide / ((int32_t)(by << (32 - bits)) >> (32 - bits));
    return q >= -((__int128)1 << (bits - 1)) && q < (__int128)1 << (bits - 1);
}

static void compare(bool is_signed, unsigned size) {
    uint64_t seed = size + (is_signed ? 100 : 0);
    unsigned divided = 0, refused = 0;

    for (unsigned n = 0; n < CASES; n++) {
        uint32_t eax = next(&seed), edx = next(&seed), by = next(&seed);
        if (next(&seed) & 1) /* a dividend that fits more often */
            edx = is_signed && eax >> (8 * size - 1) & 1 ? 0xffffffff : 0;
        callout_bench_reset(NULL);
        cpu.gpr[EAX] = eax;
        cpu.gpr[EDX] = edx;
        cpu.gpr[EBX] = by;
        uint64_t arg = A_REG(is_signed ? IDIV : DIV) | A_RM(EBX) | A_OP(size);
        if (!fits(is_signed, size, eax, edx, by)) {
            EXPECT_FAULT(callout_divide(&cpu, arg), VEC_DE, -1);
            refused++;
        } else {
            EXPECT_NEXT(callout_divide(&cpu, arg));
            divided++;
        }
        assert_int_equal(cpu.gpr[EAX], eax);
        assert_int_equal(cpu.gpr[EDX], edx);
        assert_int_equal(cpu.gpr[EBX], by);
    }
    assert_true(divided > CASES / 10 && refused > CASES / 10);
}

static void faults_when_it_would(void **state) {
    (void)state;
    for (unsigned size = 1; size <= 4; size *= 2) {
        compare(false, size);
        compare(true, size);
    }
}

static void high_byte_register(void **state) {
    (void)state;
    cpu.gpr[EAX] = 0x12340064;
    cpu.gpr[ECX] = 0x00000700;
    EXPECT_NEXT(callout_divide(&cpu, A_REG(DIV) | A_RM(5) | A_OP(1)));              /* CH */
    EXPECT_FAULT(callout_divide(&cpu, A_REG(DIV) | A_RM(1) | A_OP(1)), VEC_DE, -1); /* CL */
}

static void divisor_in_memory(void **state) {
    (void)state;
    cpu.gpr[EAX] = 100;
    cpu.gpr[EDX] = 0;
    cpu.ea = 0x4000;
    poke32(0x4000, 7);
    EXPECT_NEXT(callout_divide(&cpu, A_REG(DIV) | A_MEM(SEG_DS) | A_OP(4)));
    page_state[4] = PAGE_ABSENT;
    EXPECT_FAULT(callout_divide(&cpu, A_REG(DIV) | A_MEM(SEG_DS) | A_OP(4)), VEC_PF, 0);
    page_state[4] = 0;
    poke32(0x4000, 0);
    EXPECT_FAULT(callout_divide(&cpu, A_REG(DIV) | A_MEM(SEG_DS) | A_OP(4)), VEC_DE, -1);
}

static void devices_are_read_once(void **state) {
    (void)state;
    cpu.ea = 0x4000;
    poke32(0x4000, 0);
    page_state[4] = PAGE_DEVICE;
    EXPECT_NEXT(callout_divide(&cpu, A_REG(DIV) | A_MEM(SEG_DS) | A_OP(4)));
    page_state[4] = 0;
    cpu.ea = 0x4ffe; /* nor is what lies across two pages looked at here */
    poke32(0x4ffc, 0);
    poke32(0x5000, 0);
    EXPECT_NEXT(callout_divide(&cpu, A_REG(DIV) | A_MEM(SEG_DS) | A_OP(4)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(faults_when_it_would),
        CALLOUT_TEST(high_byte_register),
        CALLOUT_TEST(divisor_in_memory),
        CALLOUT_TEST(devices_are_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
