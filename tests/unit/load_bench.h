/*
 * A VM with RAM and a vCPU but nothing else, and kernel files that end at an unmapped page, so that
 * a loader that reads beyond a file's end dies.
 */
#ifndef TESTS_UNIT_LOAD_BENCH_H
#define TESTS_UNIT_LOAD_BENCH_H

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/load.h"
#include "vmm/vm.h"

enum { BENCH_RAM = 16 << 20, BENCH_FILE_MAX = 64 << 10 };

static struct vm vm;
static uint8_t *file_end; /* the unmapped page */

static int bench_start(void **state) {
    (void)state;
    host_stub_reset();
    memset(&vm, 0, sizeof vm);
    vm.vcpu.vm = &vm;
    file_end = mmap(NULL, BENCH_FILE_MAX + PAGE_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file_end == MAP_FAILED)
        return -1;
    file_end += BENCH_FILE_MAX;
    return mprotect(file_end, PAGE_SIZE, PROT_NONE) || !memmap_create(&vm.mem, &vm, BENCH_RAM);
}

static int bench_end(void **state) {
    (void)state;
    return munmap(vm.mem.ram, BENCH_RAM) |
           munmap(file_end - BENCH_FILE_MAX, BENCH_FILE_MAX + PAGE_SIZE);
}

/* The first size bytes of image as a file. */
static struct load_blob bench_file(const uint8_t *image, uint64_t size) {
    memcpy(file_end - size, image, size);
    return (struct load_blob){file_end - size, size};
}

static uint32_t ram32(gpa_t gpa) {
    uint32_t value;
    memmap_read(&vm.mem, gpa, &value, sizeof value);
    return value;
}

static void put16(uint8_t *p, uint16_t value) {
    memcpy(p, &value, sizeof value);
}

static void put32(uint8_t *p, uint32_t value) {
    memcpy(p, &value, sizeof value);
}

/* Pseudo-random numbers (Marsaglia's xorshift32), the same in every run. */
static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

#endif
