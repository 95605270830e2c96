/* One page of 64 in turn made read-only, then writable again and written, as garbage collectors and
 * guard pages do. */
#include "lib/rt.h"

enum { PAGES = 64 };

/* Count: thousands of pairs of calls. */
uint32_t workload(uint32_t count) {
    volatile uint32_t *memory = rt_map(PAGES * PAGE_SIZE);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count * 1000; i++) {
        volatile uint32_t *page = memory + i % PAGES * (PAGE_SIZE / 4);
        *page += i;
        sys3_or_die("mprotect", SYS_MPROTECT, (uint32_t)page, PAGE_SIZE, PROT_READ);
        sum += *page;
        sys3_or_die("mprotect", SYS_MPROTECT, (uint32_t)page, PAGE_SIZE, PROT_READ | PROT_WRITE);
    }
    return sum;
}
