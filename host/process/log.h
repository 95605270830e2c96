/*
 * Trace lines (-d, -D, -dfilter). The format is QEMU's where QEMU has one. log.c starts it,
 * rt_trace.c makes them of what the core says, disasm.c those with code, rt_log.c collects lines
 * and writes them. The ring-0 host writes lines and shows code in its own way.
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

/* -- at any time, in signal handlers too -- */

/* Adds one line; the newline is added if it is missing. */
void log_line(const char *line);
/* Writes out collected lines. */
void log_flush(void);

/* -- between these files -- */

enum { LOG_LINE_BYTES = 512 };

extern int log_fd;
extern struct dfilter log_filter;
/* Adds a line for each instruction of the n bytes. Each host has its own. */
void log_guest_insns(uint32_t gla, const uint8_t *code, size_t n, bool code32);
/* Prepares the disassembler. False: it does not start. */
bool disasm_open(void);

/* -- for the launcher of the ring-0 host -- */

enum disasm_mode { DISASM_16, DISASM_32, DISASM_64 };
/* Adds the line for an instruction as the VMM has sent it: address, place, bytes and names, as
 * host/channel.h says. A line that is not such is left out. */
void disasm_line(enum disasm_mode mode, char *sent);

#endif
