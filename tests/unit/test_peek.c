/* mmu/peek.c: reads what the guest would, and leaves no trace, whatever the tables hold. */
#include <stdlib.h>

#include "tests/unit/mmu_rig.h"

#define DIR    0x1000u
#define TABLE  0x2000u
#define PAGES  0x10000u /* gla 400000h + n pages leads here, in reverse order */
#define GLA    0x400000u
#define ROUNDS 2000

static uint8_t *copy;

static void start(void) {
    rig_start(0);
    rig_put_entry(DIR, GLA >> 22, TABLE | PTE_P);
    for (unsigned n = 0; n < 8; n++)
        rig_put_entry(TABLE, n, (PAGES + ((7 - n) << PAGE_SHIFT)) | PTE_P);
    for (unsigned i = 0; i < 8 * PAGE_SIZE; i++)
        rig.vm.mem.ram[PAGES + i] = (uint8_t)rig_random(256);
    rig_paging(RIG_32, DIR);
    if (copy == NULL)
        copy = malloc(RIG_RAM);
    assert_non_null(copy);
}

static uint8_t byte_at(gla_t gla) {
    uint32_t n = (gla - GLA) >> PAGE_SHIFT;
    return rig.vm.mem.ram[PAGES + ((7 - n) << PAGE_SHIFT) + gla % PAGE_SIZE];
}

static void crosses_pages(void **state) {
    (void)state;
    uint8_t got[3 * PAGE_SIZE];
    start();
    assert_int_equal(mmu_peek(rig.v, GLA + 100, got, sizeof got), sizeof got);
    for (uint32_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], byte_at(GLA + 100 + i));
    assert_int_equal(mmu_peek(rig.v, GLA, got, 0), 0);
}

static void stops_where_nothing_is_mapped(void **state) {
    (void)state;
    uint8_t got[PAGE_SIZE];
    start();
    assert_int_equal(mmu_peek(rig.v, GLA + 8 * PAGE_SIZE - 10, got, 100), 10);
    assert_int_equal(mmu_peek(rig.v, GLA - 1, got, 100), 0);
    rig_put_entry(TABLE, 1, 0xa0000 | PTE_P); /* a device */
    assert_int_equal(mmu_peek(rig.v, GLA + PAGE_SIZE - 3, got, 100), 3);
    assert_int_equal(rig.mmio_reads, 0);
    rig_put_entry(TABLE, 1, 0xfffff000 | PTE_P); /* beyond memory */
    assert_int_equal(mmu_peek(rig.v, GLA + PAGE_SIZE - 3, got, 100), 3);
    assert_int_equal(mmu_peek(rig.v, 0xffffffff, got, 2), 0);
}

static void without_paging_the_address_is_physical(void **state) {
    (void)state;
    uint32_t got;
    start();
    rig.v->cr0 = CR0_PE;
    rig_put32(0x5000, 0x12345678);
    assert_int_equal(mmu_peek(rig.v, 0x5000, &got, sizeof got), sizeof got);
    assert_int_equal(got, 0x12345678);
    assert_int_equal(mmu_peek(rig.v, RIG_RAM - 2, &got, sizeof got), 2);
}

/* Random tables, user and supervisor pages, any address: memory and the vCPU stay as they are. */
static void leaves_no_trace(void **state) {
    (void)state;
    static struct vcpu before;
    uint8_t got[64];
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t random = rig.random;
        if (round % 100 == 0) {
            start();
            rig.random = random + round + 1;
        }
        for (unsigned n = 0; n < 64; n++)
            rig_put_entry(rig_chance(50) ? DIR : TABLE, n, rig_random(UINT32_MAX));
        rig.v->cpl = rig_chance(50) ? 3 : 0;
        memcpy(copy, rig.vm.mem.ram, 0x20000);
        before = *rig.v;
        mmu_peek(rig.v, rig_random(UINT32_MAX) >> rig_random(12), got, 1 + rig_random(64));
        assert_memory_equal(copy, rig.vm.mem.ram, 0x20000);
        assert_memory_equal(&before, rig.v, sizeof before);
        assert_int_equal(rig.mmio_reads, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crosses_pages),
        cmocka_unit_test(stops_where_nothing_is_mapped),
        cmocka_unit_test(without_paging_the_address_is_physical),
        cmocka_unit_test(leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
