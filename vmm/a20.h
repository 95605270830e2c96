/*
 * The A20 gate: one latch with two handles, the keyboard controller's output port and port 92h.
 *
 * Intel SDM vol. 3A section 8.7.13.4 (A20M#); IBM PS/2 technical reference, ports 64h and 92h.
 */
#ifndef VMM_A20_H
#define VMM_A20_H

#include <stdbool.h>

struct memmap;

struct a20_gate {
    bool open;          /* address bit 20 passes */
    struct memmap *mem; /* what it masks; NULL: nothing */
};

/* Opens or closes it. What the CPU sees in memory changes at once. */
void a20_set(struct a20_gate *g, bool open);

#endif
