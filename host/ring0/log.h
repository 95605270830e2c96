/*
 * Trace lines of the ring-0 host (-d, -dfilter). The launcher has the disassembler; without one,
 * code is shown as bytes.
 */
#ifndef HOST_RING0_LOG_H
#define HOST_RING0_LOG_H

#include <stdint.h>

/* Turns tracing on: a mask of enum host_log, a list for -dfilter or NULL. NULL, or what is wrong.
 */
const char *log_start(uint32_t mask, const char *filter);

#endif
