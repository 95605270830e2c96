/*
 * The Linux kernel's 32-bit boot protocol.
 */
#ifndef VMM_LOAD_LINUX_H
#define VMM_LOAD_LINUX_H

#include "vmm/load.h"

/* True: the file has a Linux setup header, whatever its version. */
bool load_linux_probe(const struct load_blob *kernel);

/* Loads a bzImage and enters it at its 32-bit entry point. See load_kernel. */
enum load_status load_linux(struct vm *vm, const struct load_request *r);

#endif
