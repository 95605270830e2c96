/*
 * -accel ring0: the same guest on the ring-0 host, with QEMU's TCG as the bare machine.
 */
#ifndef HOST_PROCESS_ACCEL_RING0_H
#define HOST_PROCESS_ACCEL_RING0_H

#include "host/process/options.h"
#include "vmm/load.h"

/* Runs it to its end; returns the exit status. A host that cannot: -1, and message says why. */
int accel_ring0_run(const struct options *o, const struct load_blob *kernel,
                    char message[OPTIONS_MESSAGE]);

#endif
