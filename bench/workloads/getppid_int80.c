/* The shortest system call by INT 80h. */
#include "lib/rt.h"

static uint32_t getppid(void) {
    uint32_t result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(SYS_GETPPID) : "memory");
    return result;
}

/* Count: thousands of calls. */
uint32_t workload(uint32_t count) {
    uint32_t parent = getppid(), same = 0;
    for (uint32_t i = 0; i < count * 1000; i++)
        same += getppid() == parent;
    return same;
}
