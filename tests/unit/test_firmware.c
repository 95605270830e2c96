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

/* -- firmware configuration -- */

static void item(uint16_t selector) {
    bus_pio_write(&vm, 0x510, 2, selector);
}

static uint32_t big_endian(unsigned bytes) {
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | inb(0x511);
    return value;
}

/* Selector and size of a file; fails without it. */
static uint16_t find_file(const char *wanted, uint32_t *size) {
    char name[56];
    item(0x19);
    uint32_t files = big_endian(4);
    for (uint32_t n = 0; n < files; n++) {
        *size = big_endian(4);
        uint16_t selector = (uint16_t)big_endian(2);
        assert_int_equal(big_endian(2), 0);
        for (unsigned i = 0; i < sizeof name; i++)
            name[i] = (char)inb(0x511);
        if (strcmp(name, wanted) == 0)
            return selector;
    }
    fail_msg("no file %s", wanted);
    return 0;
}

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void add32(uint8_t *p, uint32_t value) {
    value += get32(p);
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static uint8_t sum(const uint8_t *p, uint32_t n) {
    uint8_t total = 0;
    while (n-- > 0)
        total = (uint8_t)(total + *p++);
    return total;
}

/* Does what firmware does with the loader's commands, with the tables at an address of its choice.
 */
static void test_table_loader(void **state) {
    enum { TABLES = 0x7654340 };
    static uint8_t rsdp[64], tables[0x4000], script[0x1000];
    uint32_t rsdp_size, tables_size, script_size;
    (void)state;
    item(find_file("etc/acpi/rsdp", &rsdp_size));
    for (uint32_t i = 0; i < rsdp_size; i++)
        rsdp[i] = inb(0x511);
    item(find_file("etc/acpi/tables", &tables_size));
    for (uint32_t i = 0; i < tables_size; i++)
        tables[i] = inb(0x511);
    item(find_file("etc/table-loader", &script_size));
    for (uint32_t i = 0; i < script_size; i++)
        script[i] = inb(0x511);
    for (uint8_t *c = script; c < script + script_size; c += 128) {
        bool in_rsdp = strcmp((char *)c + 4, "etc/acpi/rsdp") == 0;
        uint8_t *file = in_rsdp ? rsdp : tables;
        assert_true(in_rsdp || strcmp((char *)c + 4, "etc/acpi/tables") == 0);
        if (get32(c) == 1) {
            assert_int_equal(c[64], in_rsdp ? 2 : 1);
            assert_int_equal(TABLES % get32(c + 60), 0);
        } else if (get32(c) == 2) {
            assert_string_equal((char *)c + 60, "etc/acpi/tables");
            assert_int_equal(c[120], 4);
            add32(file + get32(c + 116), TABLES);
        } else {
            assert_int_equal(get32(c), 3);
            file[get32(c + 60)] =
                (uint8_t)(file[get32(c + 60)] - sum(file + get32(c + 64), get32(c + 68)));
        }
    }
    assert_memory_equal(rsdp, "RSD PTR ", 8);
    assert_int_equal(sum(rsdp, 20), 0);
    const uint8_t *rsdt = tables + (get32(rsdp + 16) - TABLES);
    assert_memory_equal(rsdt, "RSDT", 4);
    assert_int_equal(sum(rsdt, get32(rsdt + 4)), 0);
    const uint8_t *fadt = tables + (get32(rsdt + 36) - TABLES);
    assert_memory_equal(fadt, "FACP", 4);
    assert_int_equal(sum(fadt, get32(fadt + 4)), 0);
    assert_memory_equal(tables + (get32(fadt + 36) - TABLES), "FACS", 4);
    const uint8_t *dsdt = tables + (get32(fadt + 40) - TABLES);
    assert_memory_equal(dsdt, "DSDT", 4);
    assert_int_equal(sum(dsdt, get32(dsdt + 4)), 0);
}

static void test_fw_cfg(void **state) {
    (void)state;
    item(0);
    assert_int_equal(big_endian(4), 0x51454d55); /* QEMU */
    assert_int_equal(inb(0x511), 0);
    uint32_t size;
    item(find_file("vgaroms/vgabios.bin", &size));
    assert_int_equal(size, sizeof vga_rom);
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
        T(test_table_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
