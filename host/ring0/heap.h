/*
 * Address space of the VMM: host_alloc, code memory, addresses that fault.
 */
#ifndef HOST_RING0_HEAP_H
#define HOST_RING0_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* host_alloc for which the caller has committed frames, perhaps fewer than there are pages. */
void *heap_reserve(uint64_t bytes);

/* True: the address is in executable code memory (the translation cache). */
bool heap_is_code(uint64_t address);

/* A page fault at this address. True: it was the first touch of an allocation, now mapped. */
bool heap_touch(uint64_t address);

#endif
