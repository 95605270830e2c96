/* measure.h */
#include "measure.h"

enum {
    LONG_ENOUGH = 1000000, /* cycles a run; reading the counter costs some hundred at most */
    MOST_ROUNDS = 1 << 24,
    RUNS = 15,
};

/* cycles * 100 / rounds; the quotient fits for anything below 40 million cycles a round. */
static uint32_t per_round(uint32_t cycles, uint32_t rounds) {
    uint64_t product = (uint64_t)cycles * 100;
    uint32_t low = (uint32_t)product, high = (uint32_t)(product >> 32);
    if (high >= rounds)
        return UINT32_MAX;
    __asm__("divl %2" : "+a"(low), "+d"(high) : "r"(rounds) : "cc");
    return low;
}

struct cost measure(measure_run_fn run, void *context) {
    uint32_t rounds = 16, sample[RUNS];
    /* twice: a translator may take long for the first rounds, until it has adapted itself */
    while ((run(context, rounds) < LONG_ENOUGH || run(context, rounds) < LONG_ENOUGH) &&
           rounds < MOST_ROUNDS)
        rounds *= 2;
    for (uint32_t i = 0; i < RUNS; i++) {
        uint32_t value = per_round(run(context, rounds), rounds), j = i;
        for (; j > 0 && sample[j - 1] > value; j--)
            sample[j] = sample[j - 1];
        sample[j] = value;
    }
    return (struct cost){sample[0], sample[RUNS / 2]};
}

static uint32_t less(uint32_t a, uint32_t b) {
    return a > b ? a - b : 0;
}

struct cost cost_less(struct cost a, struct cost b) {
    return (struct cost){less(a.minimum, b.minimum), less(a.median, b.median)};
}
