/* Sieve of Eratosthenes over a bit map of 1 Mi numbers. */
#include "lib/rt.h"

enum { LIMIT = 1 << 20 };

static uint32_t composite[LIMIT / 32];

static uint32_t count_primes(void) {
    for (uint32_t i = 0; i < LIMIT / 32; i++)
        composite[i] = 0;
    uint32_t primes = 0;
    for (uint32_t i = 2; i < LIMIT; i++) {
        if (composite[i / 32] >> i % 32 & 1)
            continue;
        primes++;
        for (uint32_t j = i < 1024 ? i * i : LIMIT; j < LIMIT; j += i)
            composite[j / 32] |= 1u << j % 32;
    }
    return primes;
}

/* Count: sieves. */
uint32_t workload(uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = rt_mix(sum, count_primes());
    return sum;
}
