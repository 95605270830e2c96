/*
 * Guest-physical memory: one stretch from gpa 0 with RAM, holes and ROM marked frame by frame.
 *
 * Invariants: frame_kind and frame_flags have one byte per frame below span; FRAME_CODE is set
 * only on frames of kind MEM_RAM or MEM_ROM.
 */
#include "mmu/memmap.h"

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/vm.h"

#define RAM_MAX        0xe0000000ull /* 3.5 GiB: the rest of the 4 GiB belongs to devices */
#define LEGACY_VGA     0xa0000u
#define LEGACY_VGA_END 0xc0000u
#define ADDRESS_END    0x100000000ull
#define ADDRESS_BIT_20 0x100000u

static bool create(struct memmap *m, struct vm *vm, uint64_t ram_size, uint64_t span) {
    if (ram_size == 0 || ram_size > RAM_MAX || ram_size % PAGE_SIZE != 0)
        return false;
    uint64_t frames = span >> PAGE_SHIFT;

    m->vm = vm;
    m->frame_flags = host_alloc(frames);
    m->frame_kind = host_alloc(frames);
    m->ram = host_ram_create(span);
    if (!m->frame_flags || !m->frame_kind || !m->ram)
        return false;
    m->ram_size = ram_size;
    m->span = span;
    m->cpu_mask = UINT64_MAX;
    memset(m->frame_kind, MEM_RAM, ram_size >> PAGE_SHIFT);
    memmap_set_kind(m, LEGACY_VGA, LEGACY_VGA_END - LEGACY_VGA, MEM_MMIO);
    return true;
}

bool memmap_create(struct memmap *m, struct vm *vm, uint64_t ram_size) {
    return create(m, vm, ram_size, ram_size);
}

bool memmap_create_4g(struct memmap *m, struct vm *vm, uint64_t ram_size) {
    return create(m, vm, ram_size, ADDRESS_END);
}

void memmap_set_kind(struct memmap *m, gpa_t gpa, uint64_t bytes, uint8_t kind) {
    if (gpa >= m->span)
        return;
    uint64_t end = bytes < m->span - gpa ? gpa + bytes : m->span;

    for (uint64_t frame = gpa >> PAGE_SHIFT; frame < end >> PAGE_SHIFT; frame++) {
        if (m->frame_flags[frame] & FRAME_CODE)
            bt_code_written(m->vm, frame << PAGE_SHIFT, PAGE_SIZE);
        m->frame_kind[frame] = kind;
    }
    if (m->vm->mmu)
        mmu_memory_changed(m->vm);
}

void memmap_set_a20(struct memmap *m, bool open) {
    uint64_t mask = open ? UINT64_MAX : ~(uint64_t)ADDRESS_BIT_20;

    if (mask == m->cpu_mask)
        return;
    m->cpu_mask = mask;
    mmu_memory_changed(m->vm);
    bt_map_changed(&m->vm->vcpu, true);
}

void memmap_read(const struct memmap *m, gpa_t gpa, void *buf, uint64_t n) {
    uint8_t *out = buf;

    while (n > 0 && gpa < m->span) {
        uint64_t part = PAGE_SIZE - gpa % PAGE_SIZE;
        if (part > n)
            part = n;
        const uint8_t *p = memmap_ptr(m, gpa);
        if (p)
            memcpy(out, p, part);
        else
            memset(out, 0xff, part);
        out += part;
        gpa += part;
        n -= part;
    }
    memset(out, 0xff, n);
}

void memmap_write(struct memmap *m, gpa_t gpa, const void *buf, uint64_t n) {
    const uint8_t *in = buf;

    while (n > 0 && gpa < m->span) {
        uint64_t part = PAGE_SIZE - gpa % PAGE_SIZE;
        if (part > n)
            part = n;
        if (memmap_kind(m, gpa) == MEM_RAM) {
            if (m->frame_flags[gpa >> PAGE_SHIFT] & FRAME_CODE)
                bt_code_written(m->vm, gpa, part);
            memcpy(m->ram + gpa, in, part);
        }
        in += part;
        gpa += part;
        n -= part;
    }
}

uint8_t *memmap_overwrite(struct memmap *m, gpa_t gpa, uint64_t n) {
    if (n == 0 || gpa >= m->span || n > m->span - gpa)
        return NULL;
    uint64_t first = gpa >> PAGE_SHIFT, last = (gpa + n - 1) >> PAGE_SHIFT;

    for (uint64_t frame = first; frame <= last; frame++) {
        if (m->frame_kind[frame] != MEM_RAM)
            return NULL;
    }
    for (uint64_t frame = first; frame <= last; frame++) {
        if (m->frame_flags[frame] & FRAME_CODE)
            bt_code_written(m->vm, frame << PAGE_SHIFT, PAGE_SIZE);
    }
    return m->ram + gpa;
}
