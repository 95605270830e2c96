/* Between rt.c and what depends on the instruction set. */
#ifndef BENCH_RT_PRIV_H
#define BENCH_RT_PRIV_H

#include "rt.h"

/* From _start: argc, argv's elements, NULL, the environment, NULL, the auxiliary vector. */
void rt_start(const uint32_t *stack);
/* Before the first system call; environment: where that part of the stack begins. */
void rt_start_system_calls(const uint32_t *environment);

#endif
