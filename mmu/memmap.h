/*
 * Guest-physical memory: which gpa is RAM, ROM or a device. RAM is one host object
 * (host_ram_create) whose offset equals the gpa; what lies above ram_size or in a hole is not RAM.
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
    uint8_t *frame_flags; /* one per frame of RAM, FRAME_* */
    uint8_t *frame_kind;  /* one per frame of RAM: MEM_RAM, MEM_ROM, or MEM_MMIO/NONE for a hole */
    struct vm *vm;
};

/* Makes RAM; frames A0000h-BFFFFh are a hole (legacy video), the rest RAM. False: no host memory.
 */
bool memmap_create(struct memmap *m, struct vm *vm, uint64_t ram_size);
/* Marks [gpa, gpa+bytes) as ROM (reads RAM, writes ignored) / hole / RAM. Page multiples. */
void memmap_set_kind(struct memmap *m, gpa_t gpa, uint64_t bytes, uint8_t kind);

static inline uint8_t memmap_kind(const struct memmap *m, gpa_t gpa) {
    return gpa < m->ram_size ? m->frame_kind[gpa >> PAGE_SHIFT] : (uint8_t)MEM_MMIO;
}

/* hva of a RAM or ROM byte, or NULL. Valid to the end of its 4 KiB frame. */
static inline uint8_t *memmap_ptr(const struct memmap *m, gpa_t gpa) {
    uint8_t kind = memmap_kind(m, gpa);
    return kind == MEM_RAM || kind == MEM_ROM ? m->ram + gpa : (uint8_t *)0;
}

/* Physical accesses by devices, loaders and table walks. n bytes anywhere; beyond memory reads
 * ones and writes nothing. memmap_write invalidates translated code it overwrites (DMA). */
void memmap_read(const struct memmap *m, gpa_t gpa, void *buf, uint64_t n);
void memmap_write(struct memmap *m, gpa_t gpa, const void *buf, uint64_t n);

#endif
