/*
 * The interrupt descriptor table.
 */
#ifndef HOST_RING0_IDT_H
#define HOST_RING0_IDT_H

#include <stdbool.h>

/* Loads the IDT: all vectors lead to trap_handle, or to sample_trap (sample.h). */
void idt_load(bool sampled);

#endif
