/*
 * Guest RAM (ram.h, host_ram_create).
 */
#include "host/ring0/ram.h"

#include "host/host.h"
#include "host/ring0/frames.h"
#include "host/ring0/heap.h"
#include "host/ring0/layout.h"
#include "host/ring0/paging.h"

static uint64_t size, expected;
static uint64_t run;    /* physical address of the one run, or 0: sparse */
static uint8_t *sparse; /* where sparse RAM is mapped */

void ram_expect(uint64_t bytes) {
    expected = bytes;
}

static uint8_t *create_sparse(uint64_t bytes) {
    if (!frames_commit((expected + FRAME_BYTES - 1) / FRAME_BYTES))
        return NULL;
    sparse = heap_reserve(bytes);
    return sparse;
}

uint8_t *host_ram_create(uint64_t bytes) {
    size = bytes;
    if (expected < bytes)
        return create_sparse(bytes);
    run = frames_take_run(bytes);
    if (!run)
        return NULL;
    memset(direct_map(run), 0, bytes);
    return direct_map(run);
}

bool ram_holds(uint64_t offset, uint64_t bytes) {
    return offset <= size && bytes <= size - offset;
}

uint64_t ram_frame(uint64_t offset) {
    if (run)
        return run + offset;
    uint64_t address = (uint64_t)(uintptr_t)sparse + offset;
    heap_touch(address);
    return *paging_entry(address, false) & PTE_FRAME;
}
