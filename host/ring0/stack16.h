/*
 * Returns to a 16-bit stack.
 */
#ifndef HOST_RING0_STACK16_H
#define HOST_RING0_STACK16_H

#include <stdbool.h>

struct trap_frame;

/* Before the first root of a window is made. False: no memory. */
bool stack16_init(void);
/* Ring 0: resumes ring 3, whose SS has B clear. */
_Noreturn void stack16_resume(const struct trap_frame *f);

#endif
