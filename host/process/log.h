/*
 * Trace lines (-d, -D): host_log and the disassembly hooks of host/host.h.
 */
#ifndef HOST_PROCESS_LOG_H
#define HOST_PROCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "host/process/options.h"

/* Turns tracing on as the options say. False: message says why not. */
bool log_open(const struct options *o, char message[OPTIONS_MESSAGE]);
/* Writes out collected lines. Safe while the guest's x87/SSE state is live, and in signal handlers.
 */
void log_flush(void);

#endif
