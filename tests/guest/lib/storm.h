/* Snippets under a timer interrupt of 8 kHz: whatever it interrupts must end as it does without
 * interrupts, in every register, flag and byte of memory. */
#ifndef GUEST_STORM_H
#define GUEST_STORM_H

#include "run.h"

#include <stdint.h>

enum {
    STORM_MEMORY =
        0x00810000,       /* what a snippet may write: filled before, compared after each run */
    STORM_BYTES = 0x4000, /* the second half is filled as the first */
};

/* What the interrupt handler does besides counting; none unless the test sets it. */
extern void (*storm_hook)(void);

/* Programs the PIT and the handler of IRQ 0. */
void storm_begin(void);

/* Runs the snippet from `in` once without interrupts, then with them until `hits` of them came
 * within the snippet's code; fewer where the command line says hits=N, for slow machines. Returns
 * how many of those runs differed, and prints a line when any did. The snippet must end at INT
 * 0xF0, straight after its last instruction, and may leave nothing but memory and registers behind.
 */
uint32_t storm(const char *name, const struct regs *in, uint32_t hits);

#endif
