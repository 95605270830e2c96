/*
 * What the tests want to see of the rings.
 */
#ifndef HOST_RING0_SELFTEST_H
#define HOST_RING0_SELFTEST_H

#include <stdint.h>

struct vm;

/* Ring 1: runs privileged instructions in code memory and prints what each meets with. */
void selftest_privileged(void);

/* Ring 1: starts `count` kernels of random bytes one after the other, with seeds from `first`, each
 * for at most `ms` milliseconds and behind each one that works; prints how they ended. Panics when
 * the latter does not do what it should. */
void selftest_random(struct vm *vm, uint32_t first, uint32_t count, uint32_t ms);

#endif
