/* devices/ide*.c: task file, PIO, bus master, against ATA/ATAPI-6 and the 82371SB data sheet. */
#include "tests/unit/machine.h"

#include "bt/bt.h"
#include "devices/ide.h"

#define SECTORS 3000u
#define RAM     (4u << 20)

enum { DATA = 0x1f0, ERROR, COUNT, LOW, MID, HIGH, DEVICE, STATUS, CONTROL = 0x3f6 };

static uint8_t medium[SECTORS * 512];
static struct pci_bus pci;
static struct ide ide;

static int setup(void **state) {
    (void)state;
    machine_start();
    for (unsigned i = 0; i < sizeof medium; i++)
        medium[i] = (uint8_t)(i / 512 + i * 7);
    host_stub.blk[0] = (struct host_stub_blk){.data = medium, .sectors = SECTORS};
    ide = (struct ide){0};
    assert_true(memmap_create(&m.vm.mem, &m.vm, RAM));
    assert_true(pci_create(&pci, m.vm.bus));
    assert_true(ide_create(&ide, &m.vm, &pci, machine_line(), (struct irq_line){0}));
    ide_reset(&ide);
    return 0;
}

static void command(unsigned lba, unsigned count, uint8_t opcode) {
    outb(COUNT, count);
    outb(LOW, lba);
    outb(MID, lba >> 8);
    outb(HIGH, lba >> 16);
    outb(DEVICE, 0xe0 | lba >> 24);
    outb(STATUS, opcode);
}

static void expect_status(uint8_t status) {
    assert_int_equal(inb(CONTROL), status);
}

static void read_block(unsigned lba, unsigned sectors) {
    for (unsigned i = 0; i < sectors * 512; i += 2)
        assert_int_equal(inw(DATA), medium[lba * 512 + i] | medium[lba * 512 + i + 1] << 8);
}

static void test_read(void **state) {
    (void)state;
    command(7, 2, 0x20);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(m.level);
        assert_int_equal(inb(STATUS), 0x58);
        assert_false(m.level); /* reading the status acknowledges */
        read_block(7 + i, 1);
    }
    expect_status(0x50);
    assert_int_equal(m.rises, 2);
}

static void test_read_by_doublewords_and_cylinders(void **state) {
    (void)state;
    outb(COUNT, 1);
    outb(LOW, 5); /* cylinder 1, head 2, sector 5 */
    outb(MID, 1);
    outb(HIGH, 0);
    outb(DEVICE, 0xa2);
    outb(STATUS, 0x20);
    uint32_t at = ((1 * 16 + 2) * 63 + 4) * 512, want;
    for (unsigned i = 0; i < 512; i += 4) {
        memcpy(&want, medium + at + i, 4);
        assert_int_equal(inl(DATA), want);
    }
    expect_status(0x50);
}

static void test_read_multiple(void **state) {
    (void)state;
    command(0, 5, 0xc4); /* not set up yet */
    assert_int_equal(inb(STATUS), 0x51);
    assert_int_equal(inb(ERROR), 0x04);
    command(0, 4, 0xc6);
    expect_status(0x50);
    m.rises = 0;
    command(100, 5, 0xc4);
    inb(STATUS);
    read_block(100, 4);
    inb(STATUS);
    read_block(104, 1);
    assert_int_equal(m.rises, 2);
    command(0, 3, 0xc6); /* not a power of two */
    expect_status(0x51);
}

static void test_write(void **state) {
    (void)state;
    command(9, 2, 0x30);
    assert_false(m.level); /* the first block is asked for by DRQ alone */
    for (unsigned i = 0; i < 512; i++) {
        expect_status(0x58);
        outw(DATA, 0x1000 + i);
    }
    assert_true(m.level);
    expect_status(0x50);
    for (unsigned i = 0; i < 512; i++) {
        assert_int_equal(medium[9 * 512 + i * 2], i & 0xff);
        assert_int_equal(medium[9 * 512 + i * 2 + 1], (0x1000 + i) >> 8);
    }
    assert_int_equal(medium[8 * 512], (uint8_t)(8 + 8 * 512 * 7));
    assert_int_equal(medium[11 * 512], (uint8_t)(11 + 11 * 512 * 7));
}

static void test_wide_address(void **state) {
    (void)state;
    outb(COUNT, 0);
    outb(COUNT, 1);
    outb(LOW, 0); /* bits 31:24 */
    outb(LOW, 0x34);
    outb(MID, 0);
    outb(MID, 0x02);
    outb(HIGH, 0);
    outb(HIGH, 0);
    outb(DEVICE, 0x40);
    outb(STATUS, 0x24);
    read_block(0x234, 1);
    outb(LOW, 0x12);
    outb(LOW, 0x34);
    outb(CONTROL, 0x80);
    assert_int_equal(inb(LOW), 0x12);
    outb(CONTROL, 0);
    assert_int_equal(inb(LOW), 0x34);
    outb(STATUS, 0x24); /* now far beyond the end */
    expect_status(0x51);
    assert_int_equal(inb(ERROR), 0x10);
}

static void test_beyond_the_end(void **state) {
    (void)state;
    command(SECTORS - 1, 1, 0x20);
    read_block(SECTORS - 1, 1);
    command(SECTORS - 1, 2, 0x20);
    assert_int_equal(inb(STATUS), 0x51);
    assert_int_equal(inb(ERROR), 0x10);
    command(SECTORS, 0, 0x30);
    assert_int_equal(inb(STATUS), 0x51);
    assert_int_equal(inw(DATA), 0xffff);
}

static void test_medium_fails(void **state) {
    (void)state;
    host_stub.blk[0].fails = true;
    command(0, 1, 0x20);
    assert_int_equal(inb(STATUS), 0x51);
    assert_int_equal(inb(ERROR), 0x40);
    command(0, 1, 0xe7);
    assert_int_equal(inb(STATUS), 0x51);
    host_stub.blk[0].fails = false;
    command(0, 1, 0xe7);
    assert_int_equal(inb(STATUS), 0x50);
    assert_int_equal(host_stub.blk[0].flushes, 2);
}

static void test_identify(void **state) {
    uint16_t w[256];
    (void)state;
    command(0, 0, 0xec);
    for (unsigned i = 0; i < 256; i++)
        w[i] = inw(DATA);
    expect_status(0x50);
    assert_int_equal(w[1], SECTORS / (16 * 63));
    assert_int_equal(w[3], 16);
    assert_int_equal(w[6], 63);
    assert_int_equal(w[60] | w[61] << 16, SECTORS);
    assert_int_equal(w[100], SECTORS);
    assert_int_equal(w[27], 'R' << 8 | 'I');
    assert_int_equal(w[63], 7);
    outb(ERROR, 3); /* SET FEATURES: multiword DMA 2 */
    command(0, 0x22, 0xef);
    expect_status(0x50);
    command(0, 0, 0xec);
    for (unsigned i = 0; i < 256; i++)
        w[i] = inw(DATA);
    assert_int_equal(w[63], 0x407);
    outb(ERROR, 0x99);
    command(0, 0, 0xef);
    expect_status(0x51);
}

static void test_no_second_disk(void **state) {
    (void)state;
    outb(DEVICE, 0xb0);
    assert_int_equal(inb(STATUS), 0);
    outb(STATUS, 0xec);
    assert_int_equal(inb(STATUS), 0);
    assert_false(m.level);
    assert_int_equal(inb(0x177), 0xff); /* nothing on the other channel */
    assert_int_equal(inw(0x170), 0xffff);
}

static void test_unknown_command(void **state) {
    (void)state;
    command(0, 0, 0xa1); /* IDENTIFY PACKET DEVICE */
    assert_int_equal(inb(STATUS), 0x51);
    assert_int_equal(inb(ERROR), 0x04);
}

static void test_soft_reset(void **state) {
    (void)state;
    command(0x123456, 0x55, 0x40);
    outb(CONTROL, 0x04);
    assert_int_equal(inb(STATUS), 0x80);
    outb(STATUS, 0xec); /* ignored */
    outb(CONTROL, 0x00);
    assert_int_equal(inb(STATUS), 0x50);
    assert_int_equal(inb(ERROR), 1);
    assert_int_equal(inb(COUNT), 1);
    assert_int_equal(inb(LOW), 1);
    assert_int_equal(inb(MID) | inb(HIGH), 0);
}

static void test_interrupt_disabled(void **state) {
    (void)state;
    outb(CONTROL, 0x02);
    command(0, 1, 0x20);
    assert_false(m.level);
    outb(CONTROL, 0x00);
    assert_true(m.level);
}

/* -- bus master -- */

enum { BM = 0xc000 };

static void descriptor(unsigned n, uint32_t address, uint32_t count) {
    uint32_t entry[2] = {address, count};
    memmap_write(&m.vm.mem, 0x1000 + n * 8, entry, sizeof entry);
}

static void test_dma_read(void **state) {
    uint8_t got[1024];
    (void)state;
    descriptor(0, 0x20000, 300);
    descriptor(1, 0x30000, 724 | 0x80000000);
    outl(BM + 4, 0x1000);
    command(3, 2, 0xc8);
    assert_false(m.level);
    outb(BM, 0x09);
    assert_true(m.level);
    assert_int_equal(inb(BM + 2) & 7, 4);
    assert_int_equal(inb(STATUS), 0x50);
    memmap_read(&m.vm.mem, 0x20000, got, 300);
    memmap_read(&m.vm.mem, 0x30000, got + 300, 724);
    assert_memory_equal(got, medium + 3 * 512, 1024);
    outb(BM + 2, 4);
    outb(BM, 0);
    assert_int_equal(inb(BM + 2) & 7, 0);
}

static void test_dma_write_of_many(void **state) {
    (void)state;
    for (unsigned i = 0; i < 200 * 512; i++) {
        uint8_t byte = (uint8_t)(i * 3);
        memmap_write(&m.vm.mem, 0x100000 + i, &byte, 1);
    }
    descriptor(0, 0x100000, 0); /* 64 KiB */
    descriptor(1, 0x110000, (200 * 512 - 0x10000) | 0x80000000);
    outl(BM + 4, 0x1000);
    outb(BM, 0x01); /* started first: the command makes it run */
    assert_int_equal(inb(BM + 2) & 1, 1);
    command(50, 200, 0xca);
    assert_true(m.level);
    for (unsigned i = 0; i < 200 * 512; i++)
        assert_int_equal(medium[50 * 512 + i], (uint8_t)(i * 3));
}

static void test_dma_table_too_short(void **state) {
    (void)state;
    descriptor(0, 0x20000, 512 | 0x80000000);
    outl(BM + 4, 0x1000);
    command(0, 2, 0xc8);
    outb(BM, 0x09);
    assert_false(m.level);
    assert_int_equal(inb(CONTROL), 0x58);
    outb(BM, 0);
    outb(CONTROL, 4);
    outb(CONTROL, 0);
    command(0, 1, 0x20); /* alive */
    read_block(0, 1);
}

static void test_dma_without_memory(void **state) {
    (void)state;
    outl(BM + 4, 0xfffffffc); /* a table beyond memory reads as ones: one entry of 65,534 bytes */
    command(0, 255, 0xc8);
    outb(BM, 0x09);
    assert_false(m.level);
    outl(BM + 4, 0x1000);
    for (unsigned i = 0; i < 16; i++)
        descriptor(i, 0xfffffff0, 2);
    command(0, 1, 0xca);
    outb(BM, 0x00);
    outb(BM, 0x01);
    outl(0xcf8, 0x80000904); /* bus mastering off: nothing may move */
    outw(0xcfc, 1);
    m.level = false;
    command(0, 1, 0xc8);
    outb(BM, 0x00);
    outb(BM, 0x09);
    assert_int_equal(inb(CONTROL), 0x58);
}

static void test_base_address(void **state) {
    (void)state;
    outl(0xcf8, 0x80000920);
    outl(0xcfc, 0xffffffff);
    assert_int_equal(inl(0xcfc), 0xfffffff1); /* 16 ports */
    outl(0xcfc, 0xd000);
    outl(0xd004, 0x12345678);
    assert_int_equal(inl(0xd004), 0x12345678);
    assert_int_equal(inl(0xc004), 0xffffffff);
    outl(0xcf8, 0x80000904);
    outw(0xcfc, 0);
    assert_int_equal(inl(0xd004), 0xffffffff);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_read),
        T(test_read_by_doublewords_and_cylinders),
        T(test_read_multiple),
        T(test_write),
        T(test_wide_address),
        T(test_beyond_the_end),
        T(test_medium_fails),
        T(test_identify),
        T(test_no_second_disk),
        T(test_unknown_command),
        T(test_soft_reset),
        T(test_interrupt_disabled),
        T(test_dma_read),
        T(test_dma_write_of_many),
        T(test_dma_table_too_short),
        T(test_dma_without_memory),
        T(test_base_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
