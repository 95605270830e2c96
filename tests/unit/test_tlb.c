/* Software TLB (mmu/tlb.c): what may be read and written through it, and what empties it. */
#include "tests/unit/mmu_rig.h"

#define DIR   0x1000u
#define TABLE 0x2000u
#define PAGE  0x00403000u /* directory entry 1, table entry 3 */
#define FRAME 0x9000u

static void start(uint32_t pte_bits) {
    rig_start(0);
    rig_put32(DIR + 4, TABLE | PTE_P | PTE_RW | PTE_US);
    rig_put32(TABLE + 3 * 4, FRAME | pte_bits);
    rig_paging(RIG_32_PSE, DIR);
}

static bool readable(bool user) {
    return tlb_lookup(rig.v, PAGE + 0x123, user, false) == rig.vm.mem.ram + FRAME + 0x123;
}

static bool writable(bool user) {
    return tlb_lookup(rig.v, PAGE + 0x123, user, true) == rig.vm.mem.ram + FRAME + 0x123;
}

static void access_as(unsigned access) {
    assert_true(mmu_probe(rig.v, PAGE, 4, access));
}

static void read_of_a_clean_page_does_not_allow_writes(void **state) {
    (void)state;
    start(PTE_P | PTE_RW | PTE_US);
    access_as(MMU_R | MMU_USER);
    assert_true(readable(true) && !writable(true));
    assert_false(readable(false)); /* the views are apart */
    assert_int_equal(rig_get32(TABLE + 12) & (PTE_A | PTE_D), PTE_A);
    access_as(MMU_W | MMU_USER);
    assert_true(readable(true) && writable(true));
    assert_int_equal(rig_get32(TABLE + 12) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

static void read_of_a_dirty_page_allows_writes(void **state) {
    (void)state;
    start(PTE_P | PTE_RW | PTE_US | PTE_D);
    access_as(MMU_R);
    assert_true(writable(false));
}

static void rights_are_the_view_s(void **state) {
    (void)state;
    start(PTE_P | PTE_US | PTE_D);
    access_as(MMU_R);
    assert_true(readable(false) && !writable(false));
    rig.v->cr0 &= ~CR0_WP;
    mmu_mode_changed(rig.v);
    assert_false(readable(false));
    access_as(MMU_R);
    access_as(MMU_R | MMU_USER);
    assert_true(writable(false) && !writable(true));
}

static void code_and_rom_are_not_writable(void **state) {
    (void)state;
    start(PTE_P | PTE_RW | PTE_US | PTE_D);
    access_as(MMU_W);
    access_as(MMU_W | MMU_USER);
    mmu_protect_code(&rig.vm, FRAME, ELSEWHERE);
    assert_true(readable(false) && readable(true));
    assert_false(writable(false) || writable(true));
    access_as(MMU_W);
    assert_false(writable(false));
    assert_int_equal(rig.code_writes, 0); /* a probe writes nothing */
    assert_true(mmu_write8(rig.v, PAGE + 5, 1, false));
    assert_true(rig.v->code_written);
    assert_int_equal(rig.code_gpa, FRAME + 5);
    access_as(MMU_W);
    assert_true(writable(false));
    memmap_set_kind(&rig.vm.mem, FRAME, PAGE_SIZE, MEM_ROM);
    access_as(MMU_W);
    assert_true(readable(false) && !writable(false));
    assert_true(mmu_write8(rig.v, PAGE + 5, 0x77, false));
    assert_int_equal(rig.vm.mem.ram[FRAME + 5], 1);
}

static void devices_are_not_entered(void **state) {
    (void)state;
    uint32_t value;
    start(0);
    rig_put32(TABLE + 12, 0xfee00000 | PTE_P | PTE_RW | PTE_US);
    assert_true(mmu_read32(rig.v, PAGE + 0x20, &value, false));
    assert_int_equal(value, 0x5a5a5a5a);
    assert_int_equal(rig.mmio_gpa, 0xfee00020);
    assert_null(tlb_lookup(rig.v, PAGE, false, false));
}

static void entries_may_stay_until_invalidated(void **state) {
    (void)state;
    uint32_t value;
    start(PTE_P | PTE_RW | PTE_US);
    access_as(MMU_R | MMU_USER);
    rig_put32(TABLE + 12, 0);
    mmu_invlpg(rig.v, PAGE + 0x1000);
    assert_true(readable(true));
    mmu_invlpg(rig.v, PAGE + 0x7ff);
    assert_int_equal(rig.page_changes, 2);
    assert_false(mmu_read32(rig.v, PAGE, &value, true));
    assert_int_equal(rig.v->exc.error, PFERR_U);
    assert_int_equal(rig.v->exc.cr2, PAGE);
}

static void cr3_load_empties_it(void **state) {
    (void)state;
    unsigned before = 0;
    for (unsigned fills = 1; fills <= 200; fills += 199) { /* short log, and one that overflowed */
        start(0);
        for (unsigned i = 0; i < fills; i++) {
            rig_put32(TABLE + i * 4, FRAME | PTE_P | PTE_US | PTE_G);
            assert_true(mmu_probe(rig.v, 0x00400000 + i * PAGE_SIZE, 4, MMU_R));
        }
        before = rig.map_changes;
        mmu_cr3_loaded(rig.v);
        assert_int_equal(rig.map_changes, before + 1);
        for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++) {
            assert_int_equal(rig.v->tlb[0].rtag[i], SOFT_TLB_INVALID);
            assert_int_equal(rig.v->tlb[0].wtag[i], SOFT_TLB_INVALID);
        }
    }
}

static void invlpg_takes_all_of_a_large_page(void **state) {
    (void)state;
    start(0);
    rig_put32(DIR + 4, 0x00800000 | PTE_P | PTE_PS | PTE_RW | PTE_US);
    assert_true(mmu_probe(rig.v, PAGE, 4, MMU_W));
    assert_non_null(tlb_lookup(rig.v, PAGE, false, true));
    mmu_invlpg(rig.v, PAGE + 0x10000);
    assert_null(tlb_lookup(rig.v, PAGE, false, false));
}

static void pages_256_apart_share_a_slot(void **state) {
    (void)state;
    start(PTE_P | PTE_RW | PTE_D);
    rig_put32(TABLE + (3 + 256) * 4, (FRAME + 0x1000) | PTE_P);
    access_as(MMU_R);
    assert_true(writable(false));
    assert_true(mmu_probe(rig.v, PAGE + 256 * PAGE_SIZE, 4, MMU_R));
    assert_false(readable(false) || writable(false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_of_a_clean_page_does_not_allow_writes),
        cmocka_unit_test(read_of_a_dirty_page_allows_writes),
        cmocka_unit_test(rights_are_the_view_s),
        cmocka_unit_test(code_and_rom_are_not_writable),
        cmocka_unit_test(devices_are_not_entered),
        cmocka_unit_test(entries_may_stay_until_invalidated),
        cmocka_unit_test(cr3_load_empties_it),
        cmocka_unit_test(invlpg_takes_all_of_a_large_page),
        cmocka_unit_test(pages_256_apart_share_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
