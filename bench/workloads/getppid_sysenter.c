/* The shortest system call through the kernel's vDSO entry, which is SYSENTER on a 32-bit kernel
 * (and SYSCALL on a 64-bit kernel with an AMD CPU, where this runs natively). */
#include "lib/rt.h"

static uint32_t getppid(void) {
    uint32_t result;
    __asm__ volatile("call *%1" : "=a"(result) : "r"(rt_vsyscall), "a"(SYS_GETPPID) : "memory");
    return result;
}

/* Count: thousands of calls. */
uint32_t workload(uint32_t count) {
    if (rt_vsyscall == NULL)
        rt_die("the kernel gives no AT_SYSINFO");
    uint32_t parent = getppid(), same = 0;
    for (uint32_t i = 0; i < count * 1000; i++)
        same += getppid() == parent;
    return same;
}
