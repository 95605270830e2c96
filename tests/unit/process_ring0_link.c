/* host/process/ring0_link.c: what the launcher of the ring-0 host makes of what comes in. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/channel.h"
#include "host/host.h"
#include "host/process/log.h"
#include "host/process/profile.h"
#include "host/process/ring0_link.h"
#include "host/process/screen.h"

enum { TEXT = 64 << 10 };

static char folder[] = "/tmp/process_ring0_link.XXXXXX";
static char screen[64], trace[64], samples[64];

static int open_files(void **state) {
    char message[OPTIONS_MESSAGE];
    struct options o = {.log_mask = LOG_IN_ASM, .ring0 = true};
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(screen, sizeof screen, "%s/screen", folder);
    snprintf(trace, sizeof trace, "%s/trace", folder);
    snprintf(samples, sizeof samples, "%s/samples", folder);
    o.screendump = screen;
    o.log_path = trace;
    o.profile = samples;
    return !screen_open(&o, message) || !log_open(&o, message) || !profile_open(&o, message);
}

static int remove_files(void **state) {
    (void)state;
    unlink(screen);
    unlink(trace);
    unlink(samples);
    return rmdir(folder);
}

/* What the file has since the last time. */
static const char *news(const char *path, off_t *seen) {
    static char text[TEXT];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = pread(fd, text, sizeof text - 1, *seen);
    assert_true(n >= 0);
    close(fd);
    *seen += n;
    text[n] = '\0';
    return text;
}

static off_t screen_seen, trace_seen;

/* Serves a link through which the VMM sends these bytes, and which it closes then. */
static void serve(const char *bytes, size_t n) {
    struct ring0_link ours, far;
    assert_true(ring0_link_open(&ours, &far));
    assert_int_equal(write(far.lines, bytes, n), (ssize_t)n);
    ring0_link_close(&far);
    ring0_link_serve(&ours, 0, false);
    ring0_link_close(&ours);
    screen_close();
    log_flush();
}

#define SERVE(text) serve(text, sizeof(text) - 1)

static void rows_go_to_the_screen_file(void **state) {
    (void)state;
    SERVE("Sfirst\nS\nS  third \xe2\x94\x80\n");
    assert_string_equal(news(screen, &screen_seen), "first\n\n  third \xe2\x94\x80\n");
}

static void long_lines_are_cut_off(void **state) {
    char line[CHANNEL_LINE_BYTES * 2];
    (void)state;
    memset(line, 'x', sizeof line);
    line[0] = CHANNEL_SCREEN;
    memcpy(line + sizeof line - 3, "\nSy", 3); /* and one without end */
    serve(line, sizeof line);
    assert_int_equal(strspn(news(screen, &screen_seen), "x"), CHANNEL_LINE_BYTES - 1);
    SERVE("Sz\n");
    assert_non_null(strstr(news(screen, &screen_seen), "z\n"));
}

/* The VMM's words come through a serial port, in any pieces. */
static void words_are_passed_on_in_whole_lines(void **state) {
    static const char *const pieces[] = {"first ", "half\r\nsec", "ond\r\n", "no end"};
    struct ring0_link ours, far;
    int said[2], before = dup(STDERR_FILENO), status;
    char text[256];
    (void)state;
    /* packets: what was written at once is read at once */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, said), 0);
    assert_true(ring0_link_open(&ours, &far));
    pid_t child = fork();
    if (child == 0) {
        close(ours.messages);
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            usleep(20000);
            if (write(far.messages, pieces[i], strlen(pieces[i])) < 0)
                _exit(1);
        }
        _exit(0);
    }
    ring0_link_close(&far);
    dup2(said[1], STDERR_FILENO);
    ring0_link_serve(&ours, 0, false);
    dup2(before, STDERR_FILENO);
    close(before);
    ring0_link_close(&ours);
    assert_int_equal(waitpid(child, &status, 0), child);
    static const char *const lines[] = {"first half\n", "second\n", "no end"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ssize_t n = recv(said[0], text, sizeof text - 1, MSG_DONTWAIT);
        text[n < 0 ? 0 : n] = '\0';
        assert_string_equal(text, lines[i]);
    }
    close(said[0]);
    close(said[1]);
}

static void instructions_get_their_text(void **state) {
    (void)state;
    SERVE("Tsomething\n3c1000000\t0xc1000000 <f+0x0>:  \t89 e5 \t <name>\n"
          "61000\t0x1000:  \t48 89 c8 \t\n10\t0x0:  \t66 90 \t\n3ffffffff\t0xffffffff:  \tf0 \t\n");
    assert_string_equal(
        news(trace, &trace_seen),
        "something\n"
        "0xc1000000 <f+0x0>:                         89 e5                     mov ebp, esp "
        "<name>\n"
        "0x1000:         48 89 c8                          mov rax, rcx\n"
        "0x0:                                        66 90                     nop\n"
        "0xffffffff:                                 f0                        (bad)\n");
}

static void damaged_lines_are_left_out(void **state) {
    (void)state;
    SERVE("\n\n3\n3c1000000\n3c1000000\tplace\n3c1000000\tplace\t90\n3c1000000\tplace\t\t\n"
          "3c1000000\tplace\tzz\t\n3c1000000\tplace\t100\t\nunknown\n3\t\t\t\n\x01\x02\nP\nP12\nPx "
          "y\n"
          "P0 a\nP-\nP12x\nP 3\n");
    assert_string_equal(news(trace, &trace_seen), "");
    assert_string_equal(news(screen, &screen_seen), "");
    /* more bytes than an instruction has */
    SERVE("3c1000000\tp\t90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 \t\n");
    assert_string_equal(news(trace, &trace_seen),
                        "p                                           "
                        "90 90 90 90 90 90 90 90 90 90 90 90 90 90 90 nop\n");
}

static void samples_of_a_chain_are_added_up(void **state) {
    off_t seen = 0;
    (void)state;
    SERVE("P12 user;0x1000\nP3 kernel;f;[run loop]\nP30 user;0x1000\nL2\nL1\n");
    profile_write();
    assert_string_equal(news(samples, &seen), "kernel;f;[run loop] 3\nuser;0x1000 42\n[lost] 3\n");
}

/* Waits until the process has a handler for the signal. */
static bool catches(pid_t pid, int sig) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    for (unsigned tries = 0; tries < 1000; tries++) {
        unsigned long long mask = 0;
        FILE *f = fopen(path, "r");
        while (f != NULL && fgets(line, sizeof line, f) != NULL)
            if (strncmp(line, "SigCgt:", 7) == 0)
                mask = strtoull(line + 7, NULL, 16);
        if (f != NULL)
            fclose(f);
        if (mask >> (sig - 1) & 1)
            return true;
        usleep(10000);
    }
    return false;
}

static void signals_become_requests(void **state) {
    struct ring0_link ours, far;
    char request = 0;
    int status;
    (void)state;
    assert_true(ring0_link_open(&ours, &far));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ring0_link_close(&far);
        ring0_link_serve(&ours, getpid(), true);
        ring0_link_resume_signal();
        _exit(1);
    }
    ring0_link_close(&ours);
    assert_true(catches(child, SIGUSR2)); /* the last that it begins to catch */
    kill(child, SIGUSR1);
    assert_int_equal(read(far.messages, &request, 1), 1);
    assert_int_equal(request, CHANNEL_PANIC);
    kill(child, SIGUSR2);
    assert_int_equal(read(far.messages, &request, 1), 1);
    assert_int_equal(request, CHANNEL_PANIC_THERE);
    kill(child, SIGTERM);
    assert_int_equal(read(far.messages, &request, 1), 1);
    assert_int_equal(request, CHANNEL_QUIT);
    ring0_link_close(&far);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_to_the_screen_file),
        cmocka_unit_test(long_lines_are_cut_off),
        cmocka_unit_test(words_are_passed_on_in_whole_lines),
        cmocka_unit_test(instructions_get_their_text),
        cmocka_unit_test(damaged_lines_are_left_out),
        cmocka_unit_test(samples_of_a_chain_are_added_up),
        cmocka_unit_test(signals_become_requests),
    };
    return cmocka_run_group_tests(tests, open_files, remove_files);
}
