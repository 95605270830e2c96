/* A known number of instructions, to check the counting itself: 2,000,000 a unit of count. */
#include "../workloads/lib/rt.h"

enum { ROUNDS = 1000000 };

/* Count: millions of rounds of two instructions. */
uint32_t workload(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = ROUNDS;
        __asm__ volatile("1: decl %0\n\tjnz 1b" : "+r"(left));
    }
    return count;
}
