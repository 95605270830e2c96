/* host/process/terminal.c: raw while the guest has the terminal, the user's mode at every end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "host/process/terminal.h"

static int master;
static struct termios before;

/* A terminal whose mode the test can see; children get it as standard input. */
static int open_terminal(void **state) {
    (void)state;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    return master < 0 || grantpt(master) || unlockpt(master) || tcgetattr(master, &before);
}

static int close_terminal(void **state) {
    (void)state;
    return close(master);
}

static struct termios mode_now(void) {
    struct termios t;
    assert_int_equal(tcgetattr(master, &t), 0);
    return t;
}

static void assert_users_mode(void) {
    struct termios now = mode_now();
    assert_int_equal(now.c_lflag, before.c_lflag);
    assert_int_equal(now.c_iflag, before.c_iflag);
    assert_int_equal(now.c_oflag, before.c_oflag);
}

/* Starts a child that makes the terminal raw, says so through a pipe, and runs end. */
static pid_t start_child(bool keys_to_guest, void (*end)(void)) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setsid(); /* so that the terminal becomes the child's own */
        int fd = open(ptsname(master), O_RDWR);
        if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
            _exit(100);
        terminal_raw(keys_to_guest);
        if (write(ready[1], "r", 1) != 1)
            _exit(101);
        end();
        _exit(102);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void sleep_for_ever(void) {
    for (;;)
        pause();
}

static void exit_at_once(void) {
    exit(0);
}

static void raw_mode(void **state) {
    (void)state;
    for (unsigned keys = 0; keys < 2; keys++) {
        pid_t child = start_child(keys, sleep_for_ever);
        struct termios now = mode_now();
        assert_int_equal(now.c_lflag & (ICANON | ECHO), 0);
        assert_int_equal(now.c_lflag & ISIG, keys ? 0 : ISIG);
        assert_int_equal(now.c_iflag & (ICRNL | IXON), 0);
        assert_int_equal(now.c_oflag & OPOST, OPOST);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        tcsetattr(master, TCSANOW, &before);
    }
}

static void exit_restores(void **state) {
    (void)state;
    pid_t child = start_child(true, exit_at_once);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_users_mode();
}

static void stop_and_continue(void **state) {
    (void)state;
    pid_t child = start_child(true, sleep_for_ever);
    int status;
    kill(child, SIGTSTP);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    assert_users_mode();
    kill(child, SIGCONT);
    while ((mode_now().c_lflag & ECHO) != 0) /* hangs if it never goes raw again */
        usleep(1000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Standard input that is no terminal is left alone. */
static void no_terminal(void **state) {
    (void)state;
    int null = open("/dev/null", O_RDONLY), keep = dup(STDIN_FILENO);
    dup2(null, STDIN_FILENO);
    terminal_raw(true);
    terminal_restore();
    dup2(keep, STDIN_FILENO);
    close(null);
    close(keep);
    assert_users_mode();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_terminal, close_terminal)
    const struct CMUnitTest tests[] = {
        TEST(raw_mode),
        TEST(exit_restores),
        TEST(stop_and_continue),
        TEST(no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
