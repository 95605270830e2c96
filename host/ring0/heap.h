/*
 * Address space of the VMM: host_alloc, code memory, addresses that fault.
 */
#ifndef HOST_RING0_HEAP_H
#define HOST_RING0_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* A page fault at this address. True: it was the first touch of an allocation, now mapped. */
bool heap_touch(uint64_t address);

#endif
