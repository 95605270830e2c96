/*
 * host/process/chr.c and rt_chr.c: channels on real pipes and files, Ctrl-A keys, slow and vanished
 * readers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/chr.h"

static int to_guest[2], from_guest[2]; /* pipes; [0] is the reading end */
static unsigned quits;
static struct chr *const c = &chr_channels[CHR_SERIAL];

static void on_quit(void) {
    quits++;
}

/* Connects the channel to two pipes, as if they were standard input and output. */
static int plug(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    quits = 0;
    chr_on_quit = on_quit;
    if (pipe2(to_guest, O_NONBLOCK) != 0 || pipe2(from_guest, O_NONBLOCK) != 0)
        return -1;
    memset(c, 0, sizeof *c);
    c->in_fd = to_guest[0];
    c->out_fd = from_guest[1];
    c->keys = true;
    return 0;
}

static int unplug(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        close(to_guest[i]);
        close(from_guest[i]);
    }
    c->in_fd = c->out_fd = -1;
    return 0;
}

static void type(const char *keys) {
    assert_int_equal(write(to_guest[1], keys, strlen(keys)), strlen(keys));
    host_poll();
}

static void assert_guest_reads(const char *wanted) {
    uint8_t got[64];
    size_t n = host_chr_read(CHR_SERIAL, got, sizeof got);
    assert_int_equal(n, strlen(wanted));
    assert_memory_equal(got, wanted, n);
}

static void input(void **state) {
    (void)state;
    uint8_t byte;
    assert_int_equal(host_chr_read(CHR_SERIAL, &byte, 1), 0);
    type("ab");
    type("c");
    assert_int_equal(host_chr_read(CHR_SERIAL, &byte, 1), 1);
    assert_int_equal(byte, 'a');
    assert_guest_reads("bc");
}

static void keys(void **state) {
    (void)state;
    type("a\1\1b\1ac\1");
    assert_guest_reads("a\1b\1c");
    type("z"); /* an unknown key is swallowed with its prefix */
    type("d");
    assert_guest_reads("d");
    assert_int_equal(quits, 0);
    type("\1x");
    assert_int_equal(quits, 1);
    assert_guest_reads("");
    type("\1h");
    char text[512];
    ssize_t n = read(from_guest[0], text, sizeof text - 1);
    assert_in_range(n, 10, sizeof text - 1);
    text[n] = '\0';
    assert_non_null(strstr(text, "Ctrl-A X"));
}

static void keys_off(void **state) {
    (void)state;
    c->keys = false;
    type("\1x\1h");
    assert_int_equal(quits, 0);
    assert_guest_reads("\1x\1h");
}

/* More input than the ring takes stays with the host until the guest has read. */
static void much_input(void **state) {
    (void)state;
    enum { BYTES = 3 * CHR_IN_BYTES };
    for (unsigned i = 0; i < BYTES; i++) {
        uint8_t byte = (uint8_t)('0' + i % 10);
        assert_int_equal(write(to_guest[1], &byte, 1), 1);
    }
    for (unsigned i = 0; i < BYTES; i++) {
        uint8_t byte;
        host_poll();
        assert_int_equal(host_chr_read(CHR_SERIAL, &byte, 1), 1);
        assert_int_equal(byte, '0' + i % 10);
    }
}

static void end_of_input(void **state) {
    (void)state;
    struct pollfd fds[2 * CHR_CHANNELS];
    type("last");
    close(to_guest[1]);
    to_guest[1] = -1;
    host_poll();
    assert_guest_reads("last");
    assert_int_equal(chr_poll_set(fds), 0); /* nothing to be woken by any more */
    assert_true(host_chr_write(CHR_SERIAL, (const uint8_t *)"x", 1));
}

static void output(void **state) {
    (void)state;
    char text[16];
    assert_true(host_chr_write(CHR_SERIAL, (const uint8_t *)"he", 2));
    assert_true(host_chr_write(CHR_SERIAL, (const uint8_t *)"llo", 3));
    host_poll();
    assert_int_equal(read(from_guest[0], text, sizeof text), 5);
    assert_memory_equal(text, "hello", 5);
}

/* A reader that does not read: the channel is full at last, and nothing is lost when it reads. */
static void slow_reader(void **state) {
    (void)state;
    static uint8_t chunk[1000];
    struct pollfd fds[2 * CHR_CHANNELS];
    size_t taken = 0, got = 0;
    while (host_chr_write(CHR_SERIAL, chunk, sizeof chunk)) {
        for (unsigned i = 0; i < sizeof chunk; i++)
            chunk[i]++;
        taken += sizeof chunk;
        assert_in_range(taken, 0, 10 << 20);
    }
    assert_int_equal(chr_poll_set(fds), 2); /* also wakes when there is room */
    for (;;) {
        uint8_t text[777];
        host_poll();
        ssize_t n = read(from_guest[0], text, sizeof text);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(text[i], (uint8_t)((got + (size_t)i) / sizeof chunk));
        got += (size_t)n;
    }
    assert_int_equal(got, taken);
}

static void vanished_reader(void **state) {
    (void)state;
    close(from_guest[0]);
    from_guest[0] = -1;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(host_chr_write(CHR_SERIAL, (const uint8_t *)"x", 1));
        host_poll();
    }
    chr_finish();
    assert_int_equal(c->out_count, 0);
}

static void file_channel(void **state) {
    (void)state;
    char path[32], message[OPTIONS_MESSAGE], text[16];
    struct chr *d = &chr_channels[CHR_DEBUGCON];
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct chr_option o = {CHR_FILE, path};
    assert_true(chr_open(CHR_DEBUGCON, "debugcon", &o, message));
    assert_true(host_chr_write(CHR_DEBUGCON, (const uint8_t *)"log\n", 4));
    chr_finish();
    assert_int_equal(read(fd, text, sizeof text), 4);
    assert_memory_equal(text, "log\n", 4);
    close(fd);
    close(d->out_fd);
    d->out_fd = -1;
    o.path = "/nonexistent/x";
    assert_false(chr_open(CHR_DEBUGCON, "debugcon", &o, message));
    assert_string_equal(message,
                        "-debugcon: cannot write '/nonexistent/x': No such file or directory");
}

static void null_channel(void **state) {
    (void)state;
    uint8_t byte;
    assert_true(host_chr_write(CHR_DEBUGCON, (const uint8_t *)"x", 1));
    assert_int_equal(host_chr_read(CHR_DEBUGCON, &byte, 1), 0);
    assert_int_equal(chr_channels[CHR_DEBUGCON].out_count, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, plug, unplug)
    const struct CMUnitTest tests[] = {
        TEST(input),        TEST(keys),         TEST(keys_off),    TEST(much_input),
        TEST(end_of_input), TEST(output),       TEST(slow_reader), TEST(vanished_reader),
        TEST(file_channel), TEST(null_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
