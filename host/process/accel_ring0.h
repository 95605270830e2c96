/*
 * -accel ring0: the same guest on the ring-0 host, with QEMU's TCG as the bare machine.
 */
#ifndef HOST_PROCESS_ACCEL_RING0_H
#define HOST_PROCESS_ACCEL_RING0_H

#include "host/process/options.h"

/* Runs it to its end; returns the exit status. A host that cannot: -1, and message says why. */
int accel_ring0_run(const struct options *o, char message[OPTIONS_MESSAGE]);

#endif
