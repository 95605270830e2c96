/* fork, exec of this same program (which ends at once when the count is 0), wait. */
#include "lib/rt.h"

/* Count: programs started. */
uint32_t workload(uint32_t count) {
    if (count == 0)
        rt_exit(0);
    for (uint32_t i = 0; i < count; i++) {
        if (sys3_or_die("fork", SYS_FORK, 0, 0, 0) == 0) {
            char *const arguments[] = {rt_argv[0], "0", NULL}, *const environment[] = {NULL};
            sys3(SYS_EXECVE, (uint32_t)rt_argv[0], (uint32_t)arguments, (uint32_t)environment);
            rt_die("exec");
        }
        rt_wait_child();
    }
    return count;
}
