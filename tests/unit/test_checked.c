/* C accesses and checked operands (mmu/access.c, mmu/checked.c): check all, then commit. */
#include "tests/unit/mmu_rig.h"

#define DIR    0x1000u
#define TABLE  0x2000u
#define PAGE   0x00403000u /* table entry 3; the next page is entry 4 */
#define FRAME  0x9000u
#define FRAME2 0x7000u /* not after FRAME: a crossing access has two places */
#define DEVICE 0xfee00000u

static void put_pages(uint32_t pte, uint32_t next) {
    rig_put32(TABLE + 3 * 4, pte);
    rig_put32(TABLE + 4 * 4, next);
    mmu_cr3_loaded(rig.v);
}

static void start(void) {
    rig_start(0);
    rig_put32(DIR + 4, TABLE | PTE_P | PTE_RW | PTE_US);
    rig_paging(RIG_32, DIR);
    put_pages(FRAME | PTE_P | PTE_RW | PTE_US, FRAME2 | PTE_P | PTE_RW | PTE_US);
}

static uint8_t *ram(gpa_t gpa) {
    return rig.vm.mem.ram + gpa;
}

static void one_page_of_ram_is_direct(void **state) {
    (void)state;
    start();
    assert_ptr_equal(mmu_prepare(rig.v, PAGE + 8, 16, MMU_R | MMU_W | MMU_USER), ram(FRAME + 8));
    assert_false(rig.v->bounce.active);
    assert_false(mmu_commit(rig.v));
    assert_int_equal(rig_get32(TABLE + 12) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

static void crossing_write_is_carried_to_both_pages(void **state) {
    (void)state;
    start();
    memcpy(ram(FRAME + 0xffd), "abc", 3);
    memcpy(ram(FRAME2), "defgh", 5);
    char *p = mmu_prepare(rig.v, PAGE + 0xffd, 8, MMU_R | MMU_W);
    assert_memory_equal(p, "abcdefgh", 8);
    memcpy(p, "ABCDEFGH", 8);
    assert_memory_equal(ram(FRAME + 0xffd), "abc", 3); /* not before the commit */
    assert_false(mmu_commit(rig.v));
    assert_memory_equal(ram(FRAME + 0xffd), "ABC", 3);
    assert_memory_equal(ram(FRAME2), "DEFGH", 5);
    assert_int_equal(rig_get32(TABLE + 16) & PTE_D, PTE_D);
}

static void crossing_read_commits_nothing(void **state) {
    (void)state;
    start();
    memcpy(ram(FRAME + 0xffe), "ab", 2);
    char *p = mmu_prepare(rig.v, PAGE + 0xffe, 4, MMU_R);
    assert_memory_equal(p, "ab\0\0", 4);
    p[0] = 'X';
    assert_false(mmu_commit(rig.v));
    assert_int_equal(*ram(FRAME + 0xffe), 'a');
    assert_int_equal(rig_get32(TABLE + 12) & PTE_D, 0);
}

static void fault_on_the_second_page_touches_nothing(void **state) {
    (void)state;
    start();
    put_pages(DEVICE | PTE_P | PTE_RW | PTE_US, FRAME2 | PTE_P | PTE_US);
    uint64_t value = 0x1122334455667788;
    assert_null(mmu_prepare(rig.v, PAGE + 0xffc, 8, MMU_R | MMU_W | MMU_USER));
    assert_int_equal(rig.v->exc.error, PFERR_P | PFERR_W | PFERR_U);
    assert_int_equal(rig.v->exc.cr2, PAGE + 0x1000);
    assert_false(mmu_commit(rig.v));
    assert_false(mmu_write(rig.v, PAGE + 0xffc, &value, 8, false));
    assert_int_equal(rig.v->exc.error, PFERR_P | PFERR_W);
    put_pages(DEVICE | PTE_P, 0);
    assert_false(mmu_read(rig.v, PAGE + 0xffc, &value, 8, false));
    assert_int_equal(rig.v->exc.error, 0);
    assert_int_equal(rig.mmio_reads + rig.mmio_writes, 0);
}

static void device_operand_goes_through_the_bounce(void **state) {
    (void)state;
    start();
    put_pages(DEVICE | PTE_P | PTE_RW | PTE_US, 0);
    uint8_t *p = mmu_prepare(rig.v, PAGE + 0x24, 4, MMU_R | MMU_W);
    assert_int_equal((uintptr_t)p & 63, 0x24);
    assert_memory_equal(p, "\x5a\x5a\x5a\x5a", 4);
    assert_int_equal(rig.mmio_writes, 0);
    memcpy(p, "dev!", 4);
    assert_false(mmu_commit(rig.v));
    assert_int_equal(rig.mmio_writes, 1);
    assert_int_equal(rig.mmio_gpa, DEVICE + 0x24);
    assert_int_equal(rig.mmio_size, 4);
    assert_memory_equal(rig.mmio_data, "dev!", 4);
    assert_false(mmu_commit(rig.v)); /* once only */
    assert_int_equal(rig.mmio_writes, 1);
    mmu_prepare(rig.v, PAGE, 4, MMU_W); /* a plain write reads nothing */
    assert_int_equal(rig.mmio_reads, 1);
}

static void large_device_operands_come_in_chunks(void **state) {
    (void)state;
    start();
    put_pages(DEVICE | PTE_P | PTE_RW | PTE_US, 0);
    uint8_t *p = mmu_prepare(rig.v, PAGE + 0x40, 512, MMU_R | MMU_W);
    assert_int_equal(rig.mmio_reads, 8);
    assert_int_equal(p[511], 0x5a);
    mmu_commit(rig.v);
    assert_int_equal(rig.mmio_writes, 8);
    assert_int_equal(rig.mmio_gpa, DEVICE + 0x40 + 448);
}

static void write_to_code_is_reported(void **state) {
    (void)state;
    start();
    mmu_protect_code(&rig.vm, FRAME, ELSEWHERE);
    uint8_t *p = mmu_prepare(rig.v, PAGE + 0x10, 4, MMU_R | MMU_W);
    assert_ptr_not_equal(p, ram(FRAME + 0x10));
    assert_int_equal(rig.code_writes, 0);
    memcpy(p, "code", 4);
    assert_true(mmu_commit(rig.v));
    assert_int_equal(rig.code_gpa, FRAME + 0x10);
    assert_memory_equal(ram(FRAME + 0x10), "code", 4);
    assert_ptr_equal(mmu_prepare(rig.v, PAGE + 0x10, 4, MMU_W), ram(FRAME + 0x10));
    mmu_protect_code(&rig.vm, FRAME2, ELSEWHERE);
    mmu_prepare(rig.v, PAGE + 0xffe, 4, MMU_W);
    assert_true(mmu_commit(rig.v));
    assert_int_equal(rig.code_gpa, FRAME2);
    assert_int_equal(rig.code_bytes, 2);
}

static void page_table_on_a_code_frame(void **state) {
    (void)state;
    start();
    mmu_protect_code(&rig.vm, TABLE, ELSEWHERE);
    assert_true(mmu_probe(rig.v, PAGE, 1, MMU_R));
    assert_true(rig.v->code_written); /* setting A changed bytes that had been translated */
}

static void addresses_wrap_at_4_gib(void **state) {
    (void)state;
    uint32_t value = 0;
    start();
    rig_put32(DIR, TABLE | PTE_P | PTE_RW);
    rig_put32(DIR + 1023 * 4, TABLE | PTE_P | PTE_RW);
    rig_put32(TABLE, FRAME2 | PTE_P | PTE_RW);
    rig_put32(TABLE + 1023 * 4, FRAME | PTE_P | PTE_RW);
    assert_true(mmu_write32(rig.v, 0xfffffffe, 0x44332211, false));
    assert_memory_equal(ram(FRAME + 0xffe), "\x11\x22", 2);
    assert_memory_equal(ram(FRAME2), "\x33\x44", 2);
    assert_true(mmu_read32(rig.v, 0xfffffffe, &value, false));
    assert_int_equal(value, 0x44332211);
    assert_memory_equal(mmu_prepare(rig.v, 0xfffffffe, 4, MMU_R), "\x11\x22\x33\x44", 4);
}

static void page_pointer(void **state) {
    (void)state;
    start();
    assert_ptr_equal(mmu_page_ptr(rig.v, PAGE + 7, MMU_W), ram(FRAME + 7));
    mmu_protect_code(&rig.vm, FRAME, ELSEWHERE);
    assert_null(mmu_page_ptr(rig.v, PAGE + 7, MMU_W));
    assert_false(rig.v->exc.pending);
    assert_ptr_equal(mmu_page_ptr(rig.v, PAGE + 7, MMU_R), ram(FRAME + 7));
    put_pages(DEVICE | PTE_P, 0);
    assert_null(mmu_page_ptr(rig.v, PAGE, MMU_R));
    assert_false(rig.v->exc.pending);
    assert_null(mmu_page_ptr(rig.v, PAGE + 0x1000, MMU_R | MMU_USER));
    assert_true(rig.v->exc.pending);
}

static void fetch_sets_a_and_probe_does_not(void **state) {
    (void)state;
    gpa_t gpa;
    const uint8_t *hva;
    bool global;
    start();
    assert_int_equal(mmu_fetch_probe(rig.v, PAGE + 5), -1);
    assert_int_equal(rig_get32(TABLE + 12) & PTE_A, 0);
    assert_true(mmu_fetch(rig.v, PAGE + 5, &gpa, &hva, &global));
    assert_int_equal(gpa, FRAME + 5);
    assert_ptr_equal(hva, ram(FRAME + 5));
    assert_false(global);
    assert_int_equal(rig_get32(TABLE + 12) & (PTE_A | PTE_D), PTE_A);
    assert_int_equal(mmu_fetch_probe(rig.v, PAGE + 5), FRAME + 5);
    rig.v->cpl = 3;
    put_pages(FRAME | PTE_P | PTE_A | PTE_G, DEVICE | PTE_P | PTE_US);
    assert_int_equal(mmu_fetch_probe(rig.v, PAGE), -1);
    assert_false(mmu_fetch(rig.v, PAGE, &gpa, &hva, &global));
    assert_int_equal(rig.v->exc.error, PFERR_P | PFERR_U);
    assert_true(mmu_fetch(rig.v, PAGE + 0x1000, &gpa, &hva, &global));
    assert_null(hva);
    rig.v->cpl = 0;
    assert_true(mmu_fetch(rig.v, PAGE, &gpa, &hva, &global));
    assert_true(global);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_page_of_ram_is_direct),
        cmocka_unit_test(crossing_write_is_carried_to_both_pages),
        cmocka_unit_test(crossing_read_commits_nothing),
        cmocka_unit_test(fault_on_the_second_page_touches_nothing),
        cmocka_unit_test(device_operand_goes_through_the_bounce),
        cmocka_unit_test(large_device_operands_come_in_chunks),
        cmocka_unit_test(write_to_code_is_reported),
        cmocka_unit_test(page_table_on_a_code_frame),
        cmocka_unit_test(addresses_wrap_at_4_gib),
        cmocka_unit_test(page_pointer),
        cmocka_unit_test(fetch_sets_a_and_probe_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
