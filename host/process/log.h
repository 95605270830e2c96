/*
 * Trace lines (-d, -D, -dfilter). The format is QEMU's where QEMU has one. log.c starts it,
 * rt_log.c collects lines and writes them, disasm.c makes those with code.
 */
#ifndef HOST_PROCESS_LOG_H
#define HOST_PROCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "host/process/dfilter.h"
#include "host/process/options.h"

struct vm;

/* Turns tracing on as the options say. False: message says why not. */
bool log_open(const struct options *o, char message[OPTIONS_MESSAGE]);

/* The guest that the trace is about. */
void log_watch(const struct vm *vm);

/* -- at any time, in signal handlers too (rt_log.c) -- */

/* Adds one line; the newline is added if it is missing. */
void log_line(const char *line);
/* Writes out collected lines. */
void log_flush(void);

/* -- between log.c, rt_log.c and disasm.c -- */

enum { LOG_LINE_BYTES = 512 };

extern int log_fd;
extern struct dfilter log_filter;
/* Prepares the disassembler. False: it does not start. */
bool disasm_open(void);

#endif
