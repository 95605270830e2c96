/*
 * The boot ROM and shadow memory; see firmware.h.
 *
 * Intel 82441FX (PMC) data sheet section 3.2.17 (PAM); SDM vol. 3A section 9.1.4 (first instruction
 * at FFFFFFF0h).
 */
#include "vmm/firmware.h"

#include "host/host.h"
#include "vmm/vm.h"

#define AREA          0xc0000u
#define AREA_END      0x100000u
#define SMALL_SEGMENT 0x4000u
#define LAST          (FIRMWARE_SEGMENTS - 1u)
#define ROM_LOW       0xe0000u /* the ROM's last 128 KiB */
#define FOUR_GIB      0x100000000ull

static gpa_t segment_gpa(unsigned segment) {
    return AREA + segment * SMALL_SEGMENT;
}

static uint32_t segment_bytes(unsigned segment) {
    return segment == LAST ? AREA_END - (uint32_t)segment_gpa(LAST) : SMALL_SEGMENT;
}

static unsigned segment_of(gpa_t gpa) {
    unsigned n = (unsigned)(gpa - AREA) / SMALL_SEGMENT;
    return n < LAST ? n : LAST;
}

/* What the ISA bus has at [gpa, gpa + n). */
static void read_bus(const struct firmware *f, gpa_t gpa, uint8_t *out, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint32_t below_top = AREA_END - (uint32_t)(gpa + i);
        bool rom = gpa + i >= ROM_LOW && below_top <= f->rom_bytes;
        out[i] = rom ? f->rom[f->rom_bytes - below_top] : 0xff;
    }
}

static void rom_write(void *chip, gpa_t gpa, const void *buf, uint64_t n) {
    struct firmware *f = chip;
    if (gpa < AREA || gpa >= AREA_END)
        return;
    unsigned segment = segment_of(gpa);
    if (f->writes_dram[segment] && !f->reads_dram[segment])
        memcpy(f->dram + (gpa - AREA), buf, n);
}

void firmware_route(void *firmware, unsigned segment, bool reads_dram, bool writes_dram) {
    struct firmware *f = firmware;
    gpa_t gpa = segment_gpa(segment);
    uint32_t bytes = segment_bytes(segment);
    uint8_t *seen = f->vm->mem.ram + gpa, *behind = f->dram + (gpa - AREA);

    if (f->reads_dram[segment] == reads_dram && f->writes_dram[segment] == writes_dram)
        return;
    /* first, because it forgets translations of what is there now */
    memmap_set_kind(&f->vm->mem, gpa, bytes, reads_dram && writes_dram ? MEM_RAM : MEM_ROM);
    if (reads_dram && !f->reads_dram[segment]) {
        memcpy(seen, behind, bytes);
    } else if (!reads_dram && f->reads_dram[segment]) {
        memcpy(behind, seen, bytes);
        read_bus(f, gpa, seen, bytes);
    }
    f->reads_dram[segment] = reads_dram;
    f->writes_dram[segment] = writes_dram;
}

void firmware_create(struct firmware *f, struct vm *vm, const uint8_t *rom, uint32_t rom_bytes) {
    gpa_t top = FOUR_GIB - rom_bytes;
    f->vm = vm;
    f->rom = rom;
    f->rom_bytes = rom_bytes;
    if (rom_bytes < FIRMWARE_ROM_MIN || rom_bytes > FIRMWARE_ROM_MAX || vm->mem.span < FOUR_GIB)
        host_panic("firmware: a ROM of %u bytes", rom_bytes);
    memcpy(vm->mem.ram + top, rom, rom_bytes);
    memmap_set_kind(&vm->mem, top, rom_bytes, MEM_ROM);
    vm->mem.rom_write = rom_write;
    vm->mem.rom_chip = f;
    for (unsigned i = 0; i < FIRMWARE_SEGMENTS; i++) {
        read_bus(f, segment_gpa(i), vm->mem.ram + segment_gpa(i), segment_bytes(i));
        memmap_set_kind(&vm->mem, segment_gpa(i), segment_bytes(i), MEM_ROM);
    }
}
