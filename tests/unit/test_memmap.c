/* Guest-physical memory: kinds, the end of RAM, DMA over translated code (mmu/memmap.c). */
#include "tests/unit/mmu_rig.h"

static struct memmap *mem(void) {
    return &rig.vm.mem;
}

static void sizes(void **state) {
    (void)state;
    struct vm vm = {0};
    struct memmap m = {0};
    host_stub_reset();
    assert_false(memmap_create(&m, &vm, 0));
    assert_false(memmap_create(&m, &vm, 4097));
    assert_false(memmap_create(&m, &vm, 0xe0001000));
    assert_true(memmap_create(&m, &vm, 0xe0000000));
    assert_int_equal(memmap_kind(&m, 0xdffff000), MEM_RAM);
    assert_int_equal(memmap_kind(&m, 0xe0000000), MEM_MMIO);
    assert_null(memmap_ptr(&m, UINT64_MAX));
}

static void legacy_video_is_a_hole(void **state) {
    (void)state;
    rig_start(0);
    assert_int_equal(memmap_kind(mem(), 0x9f000), MEM_RAM);
    assert_int_equal(memmap_kind(mem(), 0xa0000), MEM_MMIO);
    assert_int_equal(memmap_kind(mem(), 0xbffff), MEM_MMIO);
    assert_int_equal(memmap_kind(mem(), 0xc0000), MEM_RAM);
    assert_null(memmap_ptr(mem(), 0xa0000));
}

static void reads_outside_memory_give_ones(void **state) {
    (void)state;
    uint8_t buf[8];
    rig_start(0);
    memset(mem()->ram + RIG_RAM - 4, 0x11, 4);
    memmap_read(mem(), RIG_RAM - 4, buf, 8);
    assert_memory_equal(buf, "\x11\x11\x11\x11\xff\xff\xff\xff", 8);
    memset(mem()->ram + 0x9fffc, 0x22, 8);
    memmap_read(mem(), 0x9fffc, buf, 8);
    assert_memory_equal(buf, "\x22\x22\x22\x22\xff\xff\xff\xff", 8);
    memset(buf, 0, 8);
    memmap_read(mem(), UINT64_MAX - 3, buf, 8); /* no wrap to gpa 0 */
    assert_memory_equal(buf, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
}

static void writes_reach_ram_only(void **state) {
    (void)state;
    uint8_t *ram;
    rig_start(0);
    ram = mem()->ram;
    memmap_set_kind(mem(), 0xf0000, 0x10000, MEM_ROM);
    memmap_write(mem(), 0xeffff, "ab", 2);
    assert_int_equal(ram[0xeffff], 'a');
    assert_int_equal(ram[0xf0000], 0);
    memmap_write(mem(), 0x9ffff, "cd", 2);
    assert_int_equal(ram[0x9ffff], 'c');
    assert_int_equal(ram[0xa0000], 0);
    memmap_write(mem(), RIG_RAM - 1, "ef", 2);
    assert_int_equal(ram[RIG_RAM - 1], 'e');
    memmap_write(mem(), UINT64_MAX, "gh", 2);
    assert_int_equal(ram[0], 0);
}

static void dma_kills_translations(void **state) {
    (void)state;
    uint8_t data[0x3000] = {1};
    rig_start(0);
    mmu_protect_code(&rig.vm, 0x6000, ELSEWHERE);
    memmap_write(mem(), 0x5800, data, 0x1000);
    assert_int_equal(rig.code_writes, 1);
    assert_int_equal(rig.code_gpa, 0x6000);
    assert_int_equal(rig.code_bytes, 0x800);
    memmap_write(mem(), 0x5800, data, 0x1000);
    assert_int_equal(rig.code_writes, 1);
}

static void overwriting(void **state) {
    (void)state;
    rig_start(0);
    memmap_set_kind(mem(), 0xf0000, 0x10000, MEM_ROM);
    assert_ptr_equal(memmap_overwrite(mem(), 0x5801, 0x1000), mem()->ram + 0x5801);
    assert_int_equal(rig.code_writes, 0);
    mmu_protect_code(&rig.vm, 0x6000, ELSEWHERE);
    assert_non_null(memmap_overwrite(mem(), 0x5800, 0x800)); /* ends before it */
    assert_int_equal(rig.code_writes, 0);
    assert_non_null(memmap_overwrite(mem(), 0x5800, 0x801));
    assert_int_equal(rig.code_writes, 1);
    assert_int_equal(rig.code_gpa, 0x6000);
    assert_non_null(memmap_overwrite(mem(), RIG_RAM - 1, 1));
    assert_null(memmap_overwrite(mem(), RIG_RAM - 1, 2));
    assert_null(memmap_overwrite(mem(), 0x1000, UINT64_MAX));
    assert_null(memmap_overwrite(mem(), UINT64_MAX, 1));
    assert_null(memmap_overwrite(mem(), 0x1000, 0));
    assert_null(memmap_overwrite(mem(), 0xeffff, 2));
    assert_null(memmap_overwrite(mem(), 0x9ffff, 2));
}

static void kind_changes_reach_the_caches(void **state) {
    (void)state;
    gpa_t gpa;
    uint32_t value;
    rig_start(1000);
    assert_int_equal(mmu_window_fault(rig.v, 0xc8000, true, &gpa), MMU_FAULT_RETRY);
    assert_true(mmu_read32(rig.v, 0xc8000, &value, false));
    mmu_protect_code(&rig.vm, 0xc9000, ELSEWHERE);
    memmap_set_kind(mem(), 0xc8000, 0x2000, MEM_MMIO);
    assert_int_equal(rig.code_writes, 1);
    assert_int_equal(mmu_window_fault(rig.v, 0xc8000, false, &gpa), MMU_FAULT_CHECKED);
    assert_true(mmu_read32(rig.v, 0xc8000, &value, false));
    assert_int_equal(value, 0x5a5a5a5a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(legacy_video_is_a_hole),
        cmocka_unit_test(reads_outside_memory_give_ones),
        cmocka_unit_test(writes_reach_ram_only),
        cmocka_unit_test(dma_kills_translations),
        cmocka_unit_test(overwriting),
        cmocka_unit_test(kind_changes_reach_the_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
