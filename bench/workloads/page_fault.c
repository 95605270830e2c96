/* Demand-zero page faults: map 4 MiB, touch every page, unmap. */
#include "lib/rt.h"

enum { PAGES = 1024 };

/* Count: rounds of 1,024 faults. */
uint32_t workload(uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        volatile uint32_t *memory = rt_map(PAGES * PAGE_SIZE);
        for (uint32_t page = 0; page < PAGES; page++)
            sum += memory[page * (PAGE_SIZE / 4)]++ + 1;
        sys3_or_die("munmap", SYS_MUNMAP, (uint32_t)memory, PAGES * PAGE_SIZE, 0);
    }
    return sum;
}
