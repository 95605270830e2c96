/*
 * What the tests want to see of the rings.
 */
#ifndef HOST_RING0_SELFTEST_H
#define HOST_RING0_SELFTEST_H

/* Ring 1: runs privileged instructions in code memory and prints what each meets with. */
void selftest_privileged(void);

#endif
