/* host/process/sandbox.c: what a shut sandbox lets through, and how the process ends otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/sandbox.h"

static char report[4096]; /* what the child wrote to standard error */

/* Runs act in a child with the sandbox shut; returns its wait status. */
static int sandboxed(void (*act)(void)) {
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        if (!sandbox_shut())
            _exit(100);
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(ends[0], report + n, sizeof report - 1 - n)) > 0)
        n += (size_t)got;
    report[n] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_stopped(void (*act)(void), const char *call) {
    int status = sandboxed(act);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(report, "the sandbox stopped system call"));
    assert_non_null(strstr(report, call));
}

static void what_a_vm_does(void) {
    uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) != 0 || munmap(p, 8192) != 0)
        _exit(1);
    if (host_clock_ns() == 0 || write(STDERR_FILENO, "out", 3) != 3)
        _exit(2);
    free(malloc(1 << 20));
}

static void vm_lives(void **state) {
    (void)state;
    int status = sandboxed(what_a_vm_does);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(report, "out");
}

static void open_file(void) {
    open("/etc/passwd", O_RDONLY);
}
static void run_program(void) {
    char *argv[] = {"/bin/true", NULL};
    execv(argv[0], argv);
}
static void open_socket(void) {
    socket(AF_INET, SOCK_STREAM, 0);
}
static void map_code(void) {
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void make_code(void) {
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
static void type_on_terminal(void) {
    ioctl(STDIN_FILENO, TIOCSTI, "x");
}
static void kill_another(void) {
    kill(1, 0);
}
static void make_process(void) {
    if (fork() == 0)
        _exit(0);
}

static void rest_is_stopped(void **state) {
    (void)state;
    assert_stopped(open_file, "openat");
    assert_stopped(run_program, "execve");
    assert_stopped(open_socket, "socket");
    assert_stopped(map_code, "mmap");
    assert_stopped(make_code, "mprotect");
    assert_stopped(type_on_terminal, "ioctl");
    assert_stopped(kill_another, "kill");
    assert_stopped(make_process, "clone");
}

int main(void) {
#ifdef RINGONE_SANITIZE
    const struct CMUnitTest tests[] = {cmocka_unit_test(vm_lives)};
    (void)rest_is_stopped; /* sanitizers call what the sandbox stops when a process dies */
#else
    const struct CMUnitTest tests[] = {cmocka_unit_test(vm_lives),
                                       cmocka_unit_test(rest_is_stopped)};
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
