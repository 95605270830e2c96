/* host/process/rt_present.c: memory comes present beside this thread, and keeps what it holds. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "host/process/present.h"
#include "host/process/sandbox.h"
#include "vmm/x86.h"

enum { PAGES = 64, PATIENCE_MS = 20000 };

static uint8_t *memory(void) {
    uint8_t *p = host_alloc(PAGES * PAGE_SIZE);

    assert_non_null(p);
    return p;
}

static unsigned resident(uint8_t *p) {
    unsigned char pages[PAGES];
    unsigned n = 0;

    assert_int_equal(mincore(p, PAGES * PAGE_SIZE, pages), 0);
    for (unsigned i = 0; i < PAGES; i++)
        n += pages[i] & 1;
    return n;
}

static void await_all(uint8_t *p) {
    for (unsigned ms = 0; ms < PATIENCE_MS && resident(p) < PAGES; ms++)
        usleep(1000);
    assert_int_equal(resident(p), PAGES);
}

static void comes_present(void **state) {
    (void)state;
    uint8_t *p = memory(), zero[PAGE_SIZE] = {0};

    p[3 * PAGE_SIZE] = 17;
    p[5 * PAGE_SIZE + 1] = 18;
    assert_int_equal(resident(p), 2);
    host_present(p, PAGES * PAGE_SIZE);
    await_all(p);
    assert_int_equal(p[3 * PAGE_SIZE], 17);
    assert_int_equal(p[5 * PAGE_SIZE + 1], 18);
    assert_memory_equal(p, zero, PAGE_SIZE);
}

/* More requests than anyone has room for: some are forgotten, later ones are not. */
static void never_waits(void **state) {
    (void)state;
    uint8_t *p = memory(), *q = memory();

    for (unsigned i = 0; i < 100000; i++)
        host_present(p, PAGES * PAGE_SIZE);
    await_all(p);
    for (unsigned ms = 0; ms < PATIENCE_MS && resident(q) < PAGES; ms++) {
        host_present(q, PAGES * PAGE_SIZE);
        usleep(1000);
    }
    await_all(q);
}

/* The line of /proc/pid/task/.../status that begins with `name`, of every thread; how many have
 * `value` there. */
static unsigned threads_with(pid_t pid, const char *name, const char *value) {
    char command[256], number[32];

    snprintf(command, sizeof command, "grep -h '^%s:.%s$' /proc/%d/task/*/status | wc -l", name,
             value, (int)pid);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(number, sizeof number, f));
    pclose(f);
    return (unsigned)strtoul(number, NULL, 10);
}

/* All but those that cannot be blocked and the two that are libc's own. */
static void takes_no_signals(void **state) {
    (void)state;
    assert_int_equal(threads_with(getpid(), "SigBlk", "fffffffe7ffbfeff"), 1);
}

static void is_in_the_sandbox(void **state) {
    int ends[2];
    char byte = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char fd[16];
        snprintf(fd, sizeof fd, "%d", ends[1]);
        execl("/proc/self/exe", "process_present", "sandboxed", fd, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    unsigned threads = threads_with(child, "Seccomp", "2");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(threads, 2);
}

/* is_in_the_sandbox()'s child: fork() gives it no thread, so it is a new program. */
static int be_sandboxed(int fd) {
    present_start();
    if (!sandbox_shut() || write(fd, "", 1) != 1)
        return 1;
    for (;;)
        poll(NULL, 0, -1);
}

static int start(void **state) {
    (void)state;
    uint8_t *p = memory();
    host_present(p, PAGES * PAGE_SIZE);
    assert_int_equal(resident(p), 0); /* without the thread it does nothing */
    present_start();
    present_start(); /* once is enough: takes_no_signals() counts */
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3)
        return be_sandboxed(atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_present), cmocka_unit_test(never_waits),
        cmocka_unit_test(takes_no_signals), cmocka_unit_test(is_in_the_sandbox)};
    return cmocka_run_group_tests(tests, start, NULL);
}
