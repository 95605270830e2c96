/*
 * The machine's 8259A pair.
 */
#ifndef HOST_RING0_I8259_H
#define HOST_RING0_I8259_H

#include <stdbool.h>

enum { PIC_LINES = 16 };

/* Vectors from VECTOR_PIC on; all lines masked. */
void i8259_init(void);
void i8259_unmask(unsigned line);
/* Ends an interrupt. False: it was a spurious one. */
bool i8259_acknowledge(unsigned line);

#endif
