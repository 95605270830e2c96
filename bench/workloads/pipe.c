/* Two processes send one byte back and forth through two pipes: two context switches a round. */
#include "lib/rt.h"

static void transfer(uint32_t number, uint32_t file, uint8_t *byte) {
    if (sys3(number, file, (uint32_t)byte, 1) != 1)
        rt_die("pipe");
}

/* Count: round trips. */
uint32_t workload(uint32_t count) {
    uint32_t there[2], back[2], sum = 0;
    uint8_t byte = 0;
    sys3_or_die("pipe", SYS_PIPE, (uint32_t)there, 0, 0);
    sys3_or_die("pipe", SYS_PIPE, (uint32_t)back, 0, 0);
    if (sys3_or_die("fork", SYS_FORK, 0, 0, 0) == 0) {
        for (uint32_t i = 0; i < count; i++) {
            transfer(SYS_READ, there[0], &byte);
            byte = (uint8_t)(byte * 5 + 1);
            transfer(SYS_WRITE, back[1], &byte);
        }
        rt_exit(0);
    }
    for (uint32_t i = 0; i < count; i++) {
        transfer(SYS_WRITE, there[1], &byte);
        transfer(SYS_READ, back[0], &byte);
        sum += byte;
    }
    rt_wait_child();
    return sum;
}
