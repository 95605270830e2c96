/*
 * Segments and stacks of rings 0 and 1.
 */
#ifndef HOST_RING0_GDT_H
#define HOST_RING0_GDT_H

#include <stdint.h>

/* Stacks that a gate may name (Intel SDM vol. 3A section 6.14.5); 0: none, as the rings say. */
enum { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_COUNT };

/* Loads the GDT and the task register. */
void gdt_load(void);

/* Replaces the first n descriptors, which are not ours. */
void gdt_set_user(const uint64_t *descriptors, unsigned n);
/* Makes n descriptors the LDT, where they stand; 0: there is none. Ring 0. */
void gdt_set_ldt(const uint64_t *descriptors, unsigned n);

#endif
