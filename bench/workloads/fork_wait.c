/* fork, exit in the child, wait in the parent; the parent has 1 MiB of memory in use. */
#include "lib/rt.h"

enum { BYTES = 1 << 20 };

/* Count: forks. */
uint32_t workload(uint32_t count) {
    uint8_t *memory = rt_map(BYTES);
    for (uint32_t i = 0; i < BYTES; i += PAGE_SIZE)
        memory[i] = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (sys3_or_die("fork", SYS_FORK, 0, 0, 0) == 0)
            rt_exit(0);
        rt_wait_child();
        memory[i % 256 * PAGE_SIZE]++;
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < BYTES; i += PAGE_SIZE)
        sum = rt_mix(sum, memory[i]);
    return sum;
}
