/*
 * The interrupt descriptor table.
 */
#ifndef HOST_RING0_IDT_H
#define HOST_RING0_IDT_H

/* Loads the IDT: all vectors lead to trap_handle. */
void idt_load(void);

#endif
