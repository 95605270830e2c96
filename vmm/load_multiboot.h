/*
 * Multiboot 1 kernels: ELF32 images, or any format by the addresses in the header.
 */
#ifndef VMM_LOAD_MULTIBOOT_H
#define VMM_LOAD_MULTIBOOT_H

#include "vmm/load.h"

/* Loads a Multiboot kernel with its modules and enters it. See load_kernel. LOAD_UNKNOWN: no
 * Multiboot header in the first 8 KiB. */
enum load_status load_multiboot(struct vm *vm, const struct load_request *r);

#endif
