/*
 * Memory for the core (host/host.h), from HEAP_BASE upwards and never given back.
 *
 * An allocation's page tables are made at once and its frames committed; the entries hold
 * ENTRY_LAZY, not present, until the first touch. Addresses without ENTRY_LAZY fault for good: the
 * poison, and the page left free behind each allocation.
 */
#include "host/ring0/heap.h"

#include "host/host.h"
#include "host/ring0/frames.h"
#include "host/ring0/layout.h"
#include "host/ring0/paging.h"

#define ENTRY_LAZY (1ull << 9) /* with P clear the CPU ignores all other bits */

static uint64_t code_start, code_end; /* executable, of the first code memory */
static uint64_t next = HEAP_BASE + FRAME_BYTES;

/* Address space for n pages and one behind them. 0: none left. */
static uint64_t reserve(uint64_t pages) {
    uint64_t at = next;

    if (pages >= (HEAP_BASE + HEAP_BYTES - next) / FRAME_BYTES)
        return 0;
    next += (pages + 1) * FRAME_BYTES;
    return at;
}

static uint64_t pages_of(uint64_t bytes) {
    return (bytes + FRAME_BYTES - 1) / FRAME_BYTES;
}

void *heap_reserve(uint64_t bytes) {
    uint64_t pages = pages_of(bytes);
    uint64_t at = reserve(pages);

    if (!at)
        return NULL;
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t *entry = paging_entry(at + i * FRAME_BYTES, true);
        if (!entry)
            return NULL;
        *entry = ENTRY_LAZY;
    }
    return (void *)(uintptr_t)at;
}

void *host_alloc(size_t bytes) {
    return frames_commit(pages_of(bytes)) ? heap_reserve(bytes) : NULL;
}

void *host_alloc_dense(size_t bytes) {
    return host_alloc(bytes);
}

void host_present(void *p, size_t bytes) {
    (void)p;
    (void)bytes; /* heap_touch() costs one exception, of the same ring */
}

bool heap_touch(uint64_t address) {
    if (address < HEAP_BASE || address >= next)
        return false;
    uint64_t *entry = paging_entry(address, false);
    if (!entry || *entry != ENTRY_LAZY)
        return false;
    *entry = frame_take_committed() | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | paging_nx;
    return true;
}

void *host_poison_create(size_t bytes) {
    return (void *)(uintptr_t)reserve(pages_of(bytes));
}

uint8_t *host_edge_create(void) {
    uint64_t at = reserve(1 + (1ull << 32) / FRAME_BYTES);
    uint64_t *entry = at && frames_commit(1) ? paging_entry(at, true) : NULL;

    if (!entry)
        return NULL;
    *entry = ENTRY_LAZY;
    return (uint8_t *)(uintptr_t)at + FRAME_BYTES - 1;
}

bool heap_is_code(uint64_t address) {
    return address >= code_start && address < code_end;
}

void *host_stack_create(size_t bytes) {
    uint8_t *stack = host_alloc(bytes); /* below it lies the page left free by the one before */

    return stack ? stack + bytes : NULL;
}

bool host_code_create(struct host_code *c, size_t bytes) {
    uint64_t pages = pages_of(bytes);
    uint64_t rw = reserve(pages), rx = reserve(pages);

    if (!rw || !rx || frames_spare() < pages)
        return false;
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t frame = frame_take();
        if (!frame || !paging_map(rw + i * FRAME_BYTES, frame, PTE_RW | PTE_G | paging_nx) ||
            !paging_map(rx + i * FRAME_BYTES, frame, PTE_G))
            return false;
    }
    if (!code_end) {
        code_start = rx;
        code_end = rx + bytes;
    }
    *c = (struct host_code){
        .rw = (uint8_t *)(uintptr_t)rw, .rx = (uint8_t *)(uintptr_t)rx, .size = bytes};
    return true;
}
