/* Call-heavy recursion: Fibonacci numbers, a call and a return for every few instructions. */
#include "lib/rt.h"

__attribute__((noipa)) static uint32_t fib(uint32_t n) {
    uint32_t sum = n;
    if (n >= 2) {
        sum = fib(n - 1);
        sum += fib(n - 2);
    }
    return sum;
}

/* Count: calls of fib(24), 150,049 calls each. */
uint32_t workload(uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = rt_mix(sum, fib(24));
    return sum;
}
