/* Context switches: a token goes round 16 processes, each with 64 KiB of memory it touches. */
#include "lib/rt.h"

enum { PROCESSES = 16, BYTES = 64 * 1024 };

static uint32_t pipes[PROCESSES][2];
static uint8_t own[BYTES];

static void pass_on(uint32_t me, uint32_t rounds) {
    uint32_t token;
    for (uint32_t i = 0; i < rounds; i++) {
        if (sys3(SYS_READ, pipes[me][0], (uint32_t)&token, 4) != 4)
            rt_die("read");
        for (uint32_t j = 0; j < BYTES; j += PAGE_SIZE)
            token = rt_mix(token, own[j]++);
        if (sys3(SYS_WRITE, pipes[(me + 1) % PROCESSES][1], (uint32_t)&token, 4) != 4)
            rt_die("write");
    }
}

/* Count: rounds of 16 switches. */
uint32_t workload(uint32_t count) {
    uint32_t token = 1;
    for (uint32_t i = 0; i < PROCESSES; i++)
        sys3_or_die("pipe", SYS_PIPE, (uint32_t)pipes[i], 0, 0);
    for (uint32_t i = 1; i < PROCESSES; i++)
        if (sys3_or_die("fork", SYS_FORK, 0, 0, 0) == 0) {
            pass_on(i, count);
            rt_exit(0);
        }
    sys3(SYS_WRITE, pipes[0][1], (uint32_t)&token, 4);
    pass_on(0, count);
    /* The token of the last round lies in process 0's pipe. */
    if (sys3(SYS_READ, pipes[0][0], (uint32_t)&token, 4) != 4)
        rt_die("read");
    for (uint32_t i = 1; i < PROCESSES; i++)
        rt_wait_child();
    return token;
}
