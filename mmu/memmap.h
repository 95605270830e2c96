/*
 * Guest-physical memory: which gpa is RAM, ROM or a device. Memory is one host object
 * (host_ram_create) whose offset equals the gpa; what lies above span or in a hole is not memory.
 *
 *      0 ... A0000  hole  C0000 (ROM or shadow RAM) 100000 ... ram_size   hole   ROM span
 *
 * With a boot ROM below 4 GiB the span is 4 GiB, of which the host backs only what is touched.
 */
#ifndef MMU_MEMMAP_H
#define MMU_MEMMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/x86.h"

struct vm;

enum { MEM_NONE, MEM_RAM, MEM_ROM, MEM_MMIO };

/* Per-frame facts. */
#define FRAME_CODE 1u /* translations of code on this frame exist */

struct memmap {
    uint8_t *ram;         /* hva of gpa 0 */
    uint64_t ram_size;    /* bytes, multiple of 4 KiB, at most 3.5 GiB */
    uint64_t span;        /* ram_size, or 4 GiB with a boot ROM */
    uint8_t *frame_flags; /* one per frame of the span, FRAME_* */
    uint8_t *frame_kind;  /* one per frame: MEM_RAM, MEM_ROM, or MEM_MMIO/NONE for a hole */
    uint64_t cpu_mask;    /* physical address bits that the CPU drives: A20 may be forced to 0 */
    /* writes to a frame of MEM_ROM end here; NULL: nowhere */
    void (*rom_write)(void *chip, gpa_t gpa, const void *buf, uint64_t n);
    void *rom_chip;
    struct vm *vm;
};

/* Makes RAM; frames A0000h-BFFFFh are a hole (legacy video), the rest RAM. False: no host memory.
 */
bool memmap_create(struct memmap *m, struct vm *vm, uint64_t ram_size);
/* The same with room for ROM up to 4 GiB. */
bool memmap_create_4g(struct memmap *m, struct vm *vm, uint64_t ram_size);
/* Marks [gpa, gpa+bytes) as ROM (reads RAM, writes ignored) / hole / RAM. Page multiples. */
void memmap_set_kind(struct memmap *m, gpa_t gpa, uint64_t bytes, uint8_t kind);

static inline uint8_t memmap_kind(const struct memmap *m, gpa_t gpa) {
    return gpa < m->span ? m->frame_kind[gpa >> PAGE_SHIFT] : (uint8_t)MEM_MMIO;
}

/* hva of a RAM or ROM byte, or NULL. Valid to the end of its 4 KiB frame. */
static inline uint8_t *memmap_ptr(const struct memmap *m, gpa_t gpa) {
    uint8_t kind = memmap_kind(m, gpa);
    return kind == MEM_RAM || kind == MEM_ROM ? m->ram + gpa : (uint8_t *)0;
}

/* The A20 gate (SDM vol. 3A section 8.7.13.4): closed, the CPU's address bit 20 is always 0.
 * Devices are not behind it. */
void memmap_set_a20(struct memmap *m, bool open);

/* The CPU writes n bytes to one frame of MEM_ROM. */
static inline void memmap_write_rom(const struct memmap *m, gpa_t gpa, const void *buf,
                                    uint64_t n) {
    if (m->rom_write)
        m->rom_write(m->rom_chip, gpa, buf, n);
}

/* Physical accesses by devices, loaders and table walks. n bytes anywhere; beyond memory reads
 * ones and writes nothing. memmap_write invalidates translated code it overwrites (DMA). */
void memmap_read(const struct memmap *m, gpa_t gpa, void *buf, uint64_t n);
void memmap_write(struct memmap *m, gpa_t gpa, const void *buf, uint64_t n);
/* The n bytes at gpa, for the caller to write all of them at once: what was translated from them is
 * forgotten. NULL: not all of them are RAM. */
uint8_t *memmap_overwrite(struct memmap *m, gpa_t gpa, uint64_t n);

#endif
