/* vmm/firmware.c, vmm/a20.c, devices/fw_cfg.c: a machine that starts from a ROM. */
#include "tests/unit/unit.h"

#include "mmu/mmu.h"
#include "vmm/board_pc.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"

#define ROM_BYTES 0x40000u
#define RAM       (8u << 20)

static struct vm vm;
static uint8_t rom[ROM_BYTES], vga_rom[1000];

static uint8_t rom_byte(uint32_t below_4g) {
    return (uint8_t)(below_4g * 13 + (below_4g >> 9));
}

static int setup(void **state) {
    (void)state;
    host_stub_reset();
    for (uint32_t i = 0; i < ROM_BYTES; i++)
        rom[i] = rom_byte(ROM_BYTES - i);
    for (unsigned i = 0; i < sizeof vga_rom; i++)
        vga_rom[i] = (uint8_t)(i + 1);
    struct board_config config = {.rom = rom,
                                  .rom_bytes = ROM_BYTES,
                                  .vga_rom = vga_rom,
                                  .vga_rom_bytes = sizeof vga_rom,
                                  .debugcon = -1};
    return vm_create(&vm, RAM, 4u << 20, &config) ? 0 : -1;
}

static uint8_t peek(uint32_t gla) {
    uint8_t value;
    assert_true(mmu_read8(&vm.vcpu, gla, &value, false));
    return value;
}

static void poke(uint32_t gla, uint8_t value) {
    assert_true(mmu_write8(&vm.vcpu, gla, value, false));
}

static void outb(uint16_t port, unsigned value) {
    bus_pio_write(&vm, port, 1, value);
}

static uint8_t inb(uint16_t port) {
    return (uint8_t)bus_pio_read(&vm, port, 1);
}

static void pam(unsigned number, uint8_t value) {
    bus_pio_write(&vm, 0xcf8, 4, 0x80000000u | ((0x59 + number) & 0xfc));
    outb((uint16_t)(0xcfc + ((0x59 + number) & 3)), value);
}

static void test_reset_vector(void **state) {
    (void)state;
    assert_int_equal(vm.vcpu.seg[SEG_CS].base + vm.vcpu.eip, 0xfffffff0);
    for (uint32_t below = 1; below <= ROM_BYTES; below += 37)
        assert_int_equal(peek(0u - below), rom_byte(below));
    assert_int_equal(peek(0xfffbffff), 0xff); /* below the ROM: nobody */
    for (uint32_t below = 1; below <= 0x20000; below += 37)
        assert_int_equal(peek(0x100000 - below), rom_byte(below));
    assert_int_equal(peek(0xdffff), 0xff);
    assert_int_equal(peek(0xc0000), 0xff);
}

static void test_rom_takes_no_writes(void **state) {
    (void)state;
    poke(0xfffffff0, 0x11);
    assert_int_equal(peek(0xfffffff0), rom_byte(16));
    poke(0xffff0, 0x11);
    assert_int_equal(peek(0xffff0), rom_byte(16));
}

static void test_shadow_ram(void **state) {
    (void)state;
    pam(0, 0x20); /* writes to RAM, reads from the ROM */
    poke(0xf1234, 0x5a);
    poke(0xfffff, 0xa5);
    assert_int_equal(peek(0xf1234), rom_byte(0xedcc));
    pam(0, 0x10); /* reads from RAM, writes to the ROM */
    assert_int_equal(peek(0xf1234), 0x5a);
    assert_int_equal(peek(0xfffff), 0xa5);
    assert_int_equal(peek(0xf1235), 0);
    poke(0xf1234, 0x77);
    assert_int_equal(peek(0xf1234), 0x5a);
    pam(0, 0x30);
    poke(0xf1234, 0x77);
    assert_int_equal(peek(0xf1234), 0x77);
    pam(0, 0x00);
    assert_int_equal(peek(0xf1234), rom_byte(0xedcc));
    pam(0, 0x30);
    assert_int_equal(peek(0xf1234), 0x77);
}

static void test_segments_are_apart(void **state) {
    (void)state;
    pam(1, 0x30); /* C4000h */
    pam(5, 0x03); /* E0000h */
    poke(0xc0000, 1);
    poke(0xc3fff, 1);
    poke(0xc4000, 2);
    poke(0xc7fff, 3);
    poke(0xc8000, 1);
    poke(0xe0000, 4);
    assert_int_equal(peek(0xc3fff), 0xff);
    assert_int_equal(peek(0xc4000), 2);
    assert_int_equal(peek(0xc7fff), 3);
    assert_int_equal(peek(0xc8000), 0xff);
    assert_int_equal(peek(0xe0000), 4);
    assert_int_equal(peek(0xe3fff), 0);
    assert_int_equal(peek(0xe4000), rom_byte(0x1c000));
}

static void test_reset_shows_the_rom(void **state) {
    (void)state;
    pam(0, 0x30);
    poke(0xffff0, 0x12);
    vm_reset(&vm);
    assert_int_equal(peek(0xffff0), rom_byte(16));
}

static void test_a20(void **state) {
    (void)state;
    assert_int_equal(inb(0x92), 2);
    poke(0x1234, 1);
    poke(0x101234, 2);
    poke(0x201234, 3);
    poke(0x301234, 4);
    outb(0x92, 0);
    assert_int_equal(peek(0x101234), 1);
    assert_int_equal(peek(0x301234), 3);
    poke(0x101234, 9);
    outb(0x92, 2);
    assert_int_equal(peek(0x1234), 9);
    assert_int_equal(peek(0x101234), 2);
    outb(0x64, 0xd1);
    outb(0x60, 0xdd);
    assert_int_equal(inb(0x92), 0);
    assert_int_equal(peek(0x101234), 9);
    uint8_t dma; /* devices are not behind the gate */
    memmap_read(&vm.mem, 0x101234, &dma, 1);
    assert_int_equal(dma, 2);
    vm_reset(&vm);
    assert_int_equal(peek(0x101234), 2);
}

/* -- firmware configuration -------------------------------------------------------------------- */

static void item(uint16_t selector) {
    bus_pio_write(&vm, 0x510, 2, selector);
}

static uint32_t big_endian(unsigned bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | inb(0x511);
    return value;
}

static void test_fw_cfg(void **state) {
    char name[56];
    (void)state;
    item(0);
    assert_int_equal(big_endian(4), 0x51454d55); /* QEMU */
    assert_int_equal(inb(0x511), 0);
    item(0x19);
    assert_int_equal(big_endian(4), 1);
    assert_int_equal(big_endian(4), sizeof vga_rom);
    uint16_t selector = (uint16_t)big_endian(2);
    assert_int_equal(big_endian(2), 0);
    for (unsigned i = 0; i < sizeof name; i++)
        name[i] = (char)inb(0x511);
    assert_string_equal(name, "vgaroms/vgabios.bin");
    item(selector);
    for (unsigned i = 0; i < sizeof vga_rom; i++)
        assert_int_equal(inb(0x511), vga_rom[i]);
    assert_int_equal(inb(0x511), 0);
    item(0xffff);
    assert_int_equal(big_endian(4), 0);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_reset_vector),
        T(test_rom_takes_no_writes),
        T(test_shadow_ram),
        T(test_segments_are_apart),
        T(test_reset_shows_the_rom),
        T(test_a20),
        T(test_fw_cfg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
