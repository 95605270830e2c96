/*
 * The end after a broken invariant.
 */
#ifndef HOST_RING0_PANIC_H
#define HOST_RING0_PANIC_H

struct trap_frame;

/* Ring 0: shows why (NULL: an exception, as the frame says), the registers and a backtrace on both
 * consoles, the virtual CPU and how it got there on the serial port, and ends. frame may be NULL.
 */
_Noreturn void panic_screen(const char *why, const struct trap_frame *frame);

#endif
