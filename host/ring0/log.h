/*
 * Trace lines of the ring-0 host (-d, -dfilter). The launcher has the disassembler; without one,
 * code is shown as bytes.
 */
#ifndef HOST_RING0_LOG_H
#define HOST_RING0_LOG_H

#include <stdint.h>

struct vm;

/* Turns tracing on: a mask of enum host_log, a list for -dfilter or NULL. NULL, or what is wrong.
 */
const char *log_start(uint32_t mask, const char *filter);
/* The guest that the trace is about. */
void log_watch(const struct vm *vm);

#endif
