/* Runs a program between two readings of the time-stamp counter:
 *
 *     mark NUMBER                     prints "now NUMBER TSC"
 *     mark NUMBER PROGRAM ARGS...     prints "took NUMBER TSC-DIFFERENCE STATUS" after it
 *
 * Numbers are hexadecimal. RDTSC is executed in ring 3, where no monitor stands between: with
 * QEMU's -icount shift=0 the counter is the number of instructions that the machine has executed,
 * plus what it skipped while idle.
 */
#include "../workloads/lib/rt.h"

enum { FIRST_ARGUMENT = 2, DIGITS = 16, WAIT_ANY = -1 };

static char line[64];
static uint32_t used;

static uint64_t tsc(void) {
    uint64_t value;
    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

static void put_text(const char *text) {
    while (*text != 0 && used < sizeof line / 2)
        line[used++] = *text++;
}

static void put_hex(uint64_t value) {
    for (int digit = DIGITS - 1; digit >= 0; digit--)
        line[used++] = "0123456789abcdef"[value >> 4 * digit & 15];
}

static void end_line(void) {
    line[used++] = '\n';
    sys3(SYS_WRITE, 1, (uint32_t)line, used);
    rt_exit(0);
}

uint32_t workload(uint32_t number) {
    (void)number;
    if (rt_argc == FIRST_ARGUMENT) {
        uint64_t now = tsc();
        put_text("now ");
        put_text(rt_argv[1]);
        put_text(" ");
        put_hex(now);
        end_line();
    }
    uint32_t status = 0;
    char **arguments = rt_argv + FIRST_ARGUMENT;
    uint64_t begin = tsc();
    if (sys3_or_die("fork", SYS_FORK, 0, 0, 0) == 0) {
        char *const environment[] = {NULL};
        sys3(SYS_EXECVE, (uint32_t)arguments[0], (uint32_t)arguments, (uint32_t)environment);
        rt_die("exec");
    }
    sys3_or_die("wait", SYS_WAITPID, (uint32_t)WAIT_ANY, (uint32_t)&status, 0);
    uint64_t end = tsc();
    put_text("took ");
    put_text(rt_argv[1]);
    put_text(" ");
    put_hex(end - begin);
    put_text(" ");
    put_hex(status);
    end_line();
    return 0;
}
