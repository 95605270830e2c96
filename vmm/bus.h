/*
 * The I/O and memory buses: which device answers at a port or at a physical address outside RAM.
 *
 * A device names the access sizes it takes; the bus splits others into halves, down to bytes. What
 * nobody answers reads ones and drops writes. Devices see offsets into their range.
 *
 * Invariant: ranges never overlap; a request to map over another device is refused.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vm.h"

struct pio_ops {
    uint32_t (*read)(void *dev, uint16_t offset, unsigned size);
    void (*write)(void *dev, uint16_t offset, unsigned size, uint32_t value);
    unsigned sizes; /* sum of the accepted access sizes: 1, 2, 4 */
};

struct mmio_ops {
    uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
    void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
    unsigned sizes; /* sum of the accepted access sizes: 1, 2, 4, 8; naturally aligned */
};

/* Makes vm->bus, with nothing on it. False: no host memory. */
bool bus_create(struct vm *vm);

/* Attaches a device to ports [base, base+count). False: a port is taken, the range does not fit in
 * 64 Ki ports or the table is full. */
bool bus_map_pio(struct bus *b, uint16_t base, unsigned count, const struct pio_ops *ops,
                 void *dev);
/* Detaches the range that starts at base, if there is one. */
void bus_unmap_pio(struct bus *b, uint16_t base);

/* The same for physical addresses. */
bool bus_map_mmio(struct bus *b, gpa_t base, uint64_t bytes, const struct mmio_ops *ops, void *dev);

#endif
