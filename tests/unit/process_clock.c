/* host/process/clock.c, rt_clock.c: what ends a wait, and the kicks. Nothing here measures how
 * long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/chr.h"
#include "host/process/clock.h"

enum { POLLS = 8 };

static volatile sig_atomic_t kicks, samples, polls, stop_at, useful;
static volatile sig_atomic_t samples_at[POLLS + 1]; /* a poll */

static void on_kick(int sig) {
    (void)sig;
    kicks++;
}

static void on_sample(int sig) {
    (void)sig;
    samples++;
    if (!clock_sample_next(useful))
        return;
    samples_at[polls + 1] = samples;
    polls++;
    if (polls == stop_at)
        clock_sample(false);
}

static int start(void **state) {
    (void)state;
    signal(SIGALRM, on_kick);
    signal(SIGVTALRM, on_sample);
    return clock_setup() ? 0 : -1;
}

static void clock_goes_forward(void **state) {
    (void)state;
    uint64_t last = host_clock_ns();
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = host_clock_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(host_wall_seconds() > 1600000000);
    uint64_t hz = host_tsc_hz(), again = host_tsc_hz();
    assert_true(hz > 100000000);
    assert_in_range(again, hz - hz / 100, hz + hz / 100);
}

static void wait_ends_at_deadline(void **state) {
    (void)state;
    uint64_t deadline = host_clock_ns() + 2000000;
    while (host_clock_ns() < deadline)
        host_wait(deadline);
    host_wait(0); /* past: at once */
}

/* A wait without a deadline: it would hang for ever if what should end it did not. */
static void input_ends_wait(void **state) {
    (void)state;
    int ends[2];
    uint8_t byte;
    assert_int_equal(pipe(ends), 0);
    struct chr *c = &chr_channels[CHR_SERIAL];
    c->in_fd = ends[0];
    assert_int_equal(write(ends[1], "a", 1), 1);
    host_wait(UINT64_MAX);
    assert_int_equal(host_chr_read(CHR_SERIAL, &byte, 1), 1);
    assert_int_equal(byte, 'a');
    close(ends[1]); /* its end is nothing to wake for again and again */
    host_poll();
    assert_int_equal(c->in_fd, -1);
    close(ends[0]);
}

static void kick_ends_wait(void **state) {
    (void)state;
    sig_atomic_t before = kicks;
    host_timer_arm(host_clock_ns() + 1000000);
    while (kicks == before)
        host_wait(host_clock_ns() + 1000000000);
}

static void timers_kick(void **state) {
    (void)state;
    sig_atomic_t before = kicks;
    host_timer_arm(1); /* long past */
    while (kicks == before)
        ;
    host_timer_arm(UINT64_MAX);
}

/* Ten samples a poll while they are useful, and in the end one. */
static void samples_and_polls(void **state) {
    (void)state;
    useful = true;
    stop_at = 3;
    clock_sample(true);
    while (polls < 3)
        ;
    assert_int_equal(samples, 30);
    useful = false;
    stop_at = POLLS;
    clock_sample(true);
    while (polls < POLLS)
        ;
    assert_int_equal(samples_at[POLLS] - samples_at[POLLS - 2], 2);
}

static void wake_ends_wait(void **state) {
    (void)state;
    clock_wake();
    host_wait(UINT64_MAX);
    host_wait(UINT64_MAX); /* the VM is to end: no later wait sleeps either */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_goes_forward), cmocka_unit_test(wait_ends_at_deadline),
        cmocka_unit_test(input_ends_wait),    cmocka_unit_test(timers_kick),
        cmocka_unit_test(samples_and_polls),  cmocka_unit_test(kick_ends_wait),
        cmocka_unit_test(wake_ends_wait),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
