/* vmm/bus.c: dispatch, widths, overlaps, open bus. */
#include "tests/unit/unit.h"

#include "vmm/bus.h"

struct access {
    unsigned count;
    uint64_t offset[8];
    unsigned size[8];
    uint64_t value[8];
};

static void note(struct access *a, uint64_t offset, unsigned size, uint64_t value) {
    a->offset[a->count % 8] = offset;
    a->size[a->count % 8] = size;
    a->value[a->count % 8] = value;
    a->count++;
}

static uint32_t pio_read(void *dev, uint16_t offset, unsigned size) {
    note(dev, offset, size, 0);
    return 0x11111110u * (offset + 1u) + offset;
}

static void pio_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    note(dev, offset, size, value);
}

static uint64_t mmio_read(void *dev, uint64_t offset, unsigned size) {
    note(dev, offset, size, 0);
    return UINT64_C(0x8877665544332211) + offset;
}

static void mmio_write(void *dev, uint64_t offset, unsigned size, uint64_t value) {
    note(dev, offset, size, value);
}

static const struct pio_ops bytes = {pio_read, pio_write, 1};
static const struct pio_ops words = {pio_read, pio_write, 1 | 2};
static const struct pio_ops dwords = {pio_read, pio_write, 4};
static const struct mmio_ops mmio32 = {mmio_read, mmio_write, 4};
static const struct mmio_ops mmio8 = {mmio_read, mmio_write, 1 | 2 | 4 | 8};

static struct vm vm;
static struct access seen;

static int setup(void **state) {
    (void)state;
    host_stub_reset();
    seen = (struct access){0};
    return bus_create(&vm) ? 0 : -1;
}

static void test_open_bus_reads_ones(void **state) {
    (void)state;
    assert_int_equal(bus_pio_read(&vm, 0x1234, 1), 0xff);
    assert_int_equal(bus_pio_read(&vm, 0x1234, 2), 0xffff);
    assert_int_equal(bus_pio_read(&vm, 0xffff, 4), 0xffffffff);
    bus_pio_write(&vm, 0xffff, 4, 0);
    uint8_t data[64] = {0};
    bus_mmio_read(&vm, 0xfee00000, data, sizeof data);
    for (unsigned i = 0; i < sizeof data; i++)
        assert_int_equal(data[i], 0xff);
    bus_mmio_write(&vm, 0xfee00000, data, sizeof data);
}

static void test_pio_offsets_and_masking(void **state) {
    (void)state;
    assert_true(bus_map_pio(vm.bus, 0x100, 8, &words, &seen));
    assert_int_equal(bus_pio_read(&vm, 0x102, 2), 0x3332);
    assert_int_equal(seen.offset[0], 2);
    assert_int_equal(seen.size[0], 2);
    bus_pio_write(&vm, 0x107, 1, 0xabcd);
    assert_int_equal(seen.offset[1], 7);
    assert_int_equal(seen.value[1], 0xcd);
}

static void test_pio_wide_access_is_split(void **state) {
    (void)state;
    assert_true(bus_map_pio(vm.bus, 0x100, 8, &bytes, &seen));
    bus_pio_write(&vm, 0x100, 4, 0x44332211);
    assert_int_equal(seen.count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(seen.offset[i], i);
        assert_int_equal(seen.size[i], 1);
        assert_int_equal(seen.value[i], 0x11 * (i + 1));
    }
    assert_int_equal(bus_pio_read(&vm, 0x100, 2), 0x2110);
}

static void test_pio_access_over_the_end_reaches_the_neighbour(void **state) {
    struct access other = {0};
    (void)state;
    assert_true(bus_map_pio(vm.bus, 0x100, 4, &words, &seen));
    assert_true(bus_map_pio(vm.bus, 0x104, 4, &words, &other));
    bus_pio_write(&vm, 0x103, 2, 0xbbaa);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.value[0], 0xaa);
    assert_int_equal(other.count, 1);
    assert_int_equal(other.offset[0], 0);
    assert_int_equal(other.value[0], 0xbb);
}

static void test_pio_width_not_taken_is_open(void **state) {
    (void)state;
    assert_true(bus_map_pio(vm.bus, 0xcf8, 4, &dwords, &seen));
    assert_int_equal(bus_pio_read(&vm, 0xcf8, 1), 0xff);
    assert_int_equal(bus_pio_read(&vm, 0xcf8, 2), 0xffff);
    assert_int_equal(seen.count, 0);
    assert_int_equal(bus_pio_read(&vm, 0xcf8, 4), 0x11111110);
}

static void test_pio_overlap_is_refused(void **state) {
    (void)state;
    assert_true(bus_map_pio(vm.bus, 0x100, 8, &bytes, &seen));
    assert_false(bus_map_pio(vm.bus, 0x107, 1, &bytes, &seen));
    assert_false(bus_map_pio(vm.bus, 0xf9, 8, &bytes, &seen));
    assert_false(bus_map_pio(vm.bus, 0xfff8, 9, &bytes, &seen));
    assert_false(bus_map_pio(vm.bus, 0x200, 0, &bytes, &seen));
    assert_int_equal(bus_pio_read(&vm, 0xff, 1), 0xff); /* a refused range left nothing behind */
    bus_unmap_pio(vm.bus, 0x104);                       /* not where a range starts */
    assert_int_equal(bus_pio_read(&vm, 0x104, 1), 0x54);
    bus_unmap_pio(vm.bus, 0x100);
    assert_int_equal(bus_pio_read(&vm, 0x104, 1), 0xff);
    assert_true(bus_map_pio(vm.bus, 0xf9, 8, &bytes, &seen));
}

static void test_pio_table_may_fill(void **state) {
    (void)state;
    for (unsigned i = 0; i < 255; i++)
        assert_true(bus_map_pio(vm.bus, (uint16_t)(0x1000 + i), 1, &bytes, &seen));
    assert_false(bus_map_pio(vm.bus, 0x2000, 1, &bytes, &seen));
    assert_int_equal(bus_pio_read(&vm, 0x2000, 1), 0xff);
}

static void test_mmio_split_and_gap(void **state) {
    uint8_t data[16];
    (void)state;
    assert_true(bus_map_mmio(vm.bus, 0xf0000000, 8, &mmio32, &seen));
    bus_mmio_read(&vm, 0xf0000000, data, 16);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.offset[1], 4);
    assert_int_equal(data[0], 0x11);
    assert_int_equal(data[4], 0x15);
    assert_int_equal(data[8], 0xff);
    seen.count = 0;
    bus_mmio_write(&vm, 0xf0000001, data, 2); /* the device takes no bytes */
    assert_int_equal(seen.count, 0);
}

static void test_mmio_unaligned_is_split_to_aligned(void **state) {
    uint64_t value = UINT64_C(0x0807060504030201);
    (void)state;
    assert_true(bus_map_mmio(vm.bus, 0xf0000000, 64, &mmio8, &seen));
    bus_mmio_write(&vm, 0xf0000002, &value, 8);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.size[0], 2);
    assert_int_equal(seen.size[1], 4);
    assert_int_equal(seen.size[2], 2);
    assert_int_equal(seen.value[1], 0x06050403);
    bus_mmio_write(&vm, 0xf0000008, &value, 8);
    assert_int_equal(seen.size[3], 8);
    assert_true(seen.value[3] == value);
}

static void test_mmio_overlap_is_refused(void **state) {
    (void)state;
    assert_true(bus_map_mmio(vm.bus, 0xf0000000, 0x1000, &mmio8, &seen));
    assert_false(bus_map_mmio(vm.bus, 0xf0000fff, 1, &mmio8, &seen));
    assert_false(bus_map_mmio(vm.bus, 0xefffffff, 2, &mmio8, &seen));
    assert_false(bus_map_mmio(vm.bus, UINT64_MAX, 2, &mmio8, &seen));
    assert_true(bus_map_mmio(vm.bus, 0xf0001000, 1, &mmio8, &seen));
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_open_bus_reads_ones),
        T(test_pio_offsets_and_masking),
        T(test_pio_wide_access_is_split),
        T(test_pio_access_over_the_end_reaches_the_neighbour),
        T(test_pio_width_not_taken_is_open),
        T(test_pio_overlap_is_refused),
        T(test_pio_table_may_fill),
        T(test_mmio_split_and_gap),
        T(test_mmio_unaligned_is_split_to_aligned),
        T(test_mmio_overlap_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
