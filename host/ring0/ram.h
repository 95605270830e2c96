/*
 * Guest RAM: one run of physical memory, seen by the VMM through the direct map.
 */
#ifndef HOST_RING0_RAM_H
#define HOST_RING0_RAM_H

#include <stdint.h>

extern uint64_t ram_physical, ram_bytes;

#endif
