/* Pointer chase: every load's address comes from the load before; 4 MiB in random order. */
#include "lib/rt.h"

enum { NODES = 1 << 16 };

/* A cache line each. */
static struct node {
    struct node *next;
    uint32_t number, fill[14];
} node[NODES] __attribute__((aligned(64)));

static uint32_t order[NODES];

/* Count: hundreds of thousands of steps. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 1, sum = 0;
    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = rt_random(&seed) % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        node[order[i]].next = &node[order[(i + 1) % NODES]];
        node[order[i]].number = i;
    }
    struct node *n = &node[0];
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < 100000; j++)
            n = n->next;
        sum = rt_mix(sum, n->number);
    }
    return sum;
}
