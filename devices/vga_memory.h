/*
 * The VGA's memory as the processor sees it, through the graphics controller (vga.h).
 */
#ifndef DEVICES_VGA_MEMORY_H
#define DEVICES_VGA_MEMORY_H

#include "vmm/bus.h"

#define VGA_MEMORY_GPA   0xa0000u
#define VGA_MEMORY_BYTES 0x20000u

/* For bus_map_mmio; dev is a struct vga. */
extern const struct mmio_ops vga_memory_ops;

#endif
