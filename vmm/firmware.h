/*
 * The boot ROM, and the memory C0000h-FFFFFh that it is shown in or copies itself to.
 *
 *   C0000  C4000 ...  E0000 ...  F0000      100000       4 GiB - size        4 GiB
 *   | 16K  | 16K |    | 16K |    |  64 KiB  |            |    boot ROM       |
 *
 * Each of the 13 segments is routed by the host bridge (i440fx.h), apart for reads and writes: to
 * DRAM, or to the ISA bus, where the last 128 KiB of the ROM answer at E0000h and nobody below.
 *
 * Guest memory holds what reads of a segment see. While that is the ROM, the DRAM's contents wait
 * in a buffer, which writes routed to DRAM change.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/x86.h"

struct vm;

enum {
    FIRMWARE_SEGMENTS = 13,
    FIRMWARE_AREA = 0x40000,
    FIRMWARE_ROM_MIN = 0x10000,
    FIRMWARE_ROM_MAX = 0x1000000,
};

struct firmware {
    struct vm *vm;
    const uint8_t *rom;
    uint32_t rom_bytes;
    bool reads_dram[FIRMWARE_SEGMENTS], writes_dram[FIRMWARE_SEGMENTS];
    uint8_t dram[FIRMWARE_AREA]; /* what segments that show the ROM have behind it */
};

/* Shows rom (rom_bytes: a multiple of 64 KiB from FIRMWARE_ROM_MIN to FIRMWARE_ROM_MAX; it must
 * live as long as the VM) below 4 GiB and below 1 MiB. vm->mem must span 4 GiB. */
void firmware_create(struct firmware *f, struct vm *vm, const uint8_t *rom, uint32_t rom_bytes);

/* Routes a segment: 0-11 the 16 KiB ones from C0000h, 12 the one at F0000h. */
void firmware_route(void *firmware, unsigned segment, bool reads_dram, bool writes_dram);

#endif
