/*
 * Guest RAM. Without a boot ROM it is one run of physical memory, seen through the direct map. With
 * one it reaches up to the ROM below 4 GiB, and frames are found when first touched.
 */
#ifndef HOST_RING0_RAM_H
#define HOST_RING0_RAM_H

#include <stdbool.h>
#include <stdint.h>

/* Before host_ram_create: of what it will be asked for, only this much will be touched. */
void ram_expect(uint64_t bytes);

/* True: [offset, +bytes) is within RAM. */
bool ram_holds(uint64_t offset, uint64_t bytes);
/* The physical address of the page at offset. */
uint64_t ram_frame(uint64_t offset);

#endif
