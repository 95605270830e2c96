/*
 * Where the guest is and how it got there, in lines of text: registers, code, the blocks executed
 * last, the call chain. Reads the guest's memory without changing anything; uses no libc; all walks
 * are bounded. For panics of the VMM and traces of the guest's own. Code: rt_report.c.
 */
#ifndef HOST_PROCESS_REPORT_H
#define HOST_PROCESS_REPORT_H

#include <stdint.h>

struct vcpu;

/* Takes one line, which ends with a newline. */
typedef void (*report_sink)(const char *line);

void report_registers(const struct vcpu *v, report_sink sink);
/* Bytes of code at CS:EIP. */
void report_code(const struct vcpu *v, report_sink sink);
/* The blocks that were dispatched last. */
void report_recent_blocks(const struct vcpu *v, report_sink sink);
/* The call chain: by frame pointers, and what else on the stack looks like a return address. */
void report_backtrace(const struct vcpu *v, report_sink sink);

/* The guest is about to run the code at gla: says so in the trace if that is where a Linux kernel
 * gives up. */
void report_guest_panic(const struct vcpu *v, uint32_t gla);
/* The guest's triple fault, in the trace. */
void report_triple_fault(const struct vcpu *v);

#endif
