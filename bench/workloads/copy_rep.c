/* Memory copy by REP MOVSD between two buffers of 1 MiB. */
#include "lib/rt.h"

enum { WORDS = 1 << 18 };

static uint32_t from[WORDS], to[WORDS];

static void copy(uint32_t *p, const uint32_t *q, uint32_t words) {
    __asm__ volatile("rep movsl" : "+D"(p), "+S"(q), "+c"(words) : : "memory");
}

/* Count: MiB copied. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 1, sum = 0;
    for (uint32_t i = 0; i < WORDS; i++)
        from[i] = rt_random(&seed);
    for (uint32_t i = 0; i < count; i++) {
        from[i % WORDS] = i;
        copy(to, from, WORDS);
        sum = rt_mix(sum, to[i * 97 % WORDS]);
    }
    return sum;
}
