/* Interrupt descriptor table: every vector has a 32-bit interrupt gate to run.S (SDM vol 3A,
 * 6.10-6.11). */
#ifndef GUEST_IDT_H
#define GUEST_IDT_H

#include <stdint.h>

extern uint64_t idt[256];

/* Fills and loads the IDT. DPL is 0 but for VECTOR_END, which every ring may use. */
void idt_init(void);

/* Address of the common entry for `vector`, to build other gates to it. */
uint32_t idt_entry(uint8_t vector);

#endif
