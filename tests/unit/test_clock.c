/* vmm/clock.c: timers, conversions, owed ticks. */
#include "tests/unit/unit.h"

#include "vmm/clock.h"

struct probe {
    struct vclock clock;
    struct vtimer timer;
    unsigned calls;
    uint64_t now;
    uint64_t again; /* deadline the timer sets itself, 0: none */
};

static void fire(void *dev, uint64_t now) {
    struct probe *p = dev;
    p->calls++;
    p->now = now;
    if (p->again)
        clock_timer_set(&p->clock, &p->timer, p->again);
}

static void start(struct probe *p) {
    host_stub_reset();
    host_stub.clock_ns = 5000;
    *p = (struct probe){0};
    clock_create(&p->clock);
    clock_timer_init(&p->timer, fire, p);
}

static void test_time_starts_at_zero(void **state) {
    struct probe p;
    (void)state;
    start(&p);
    assert_int_equal(clock_now(&p.clock), 0);
    host_stub.clock_ns += 7;
    assert_int_equal(clock_now(&p.clock), 7);
}

static void test_timer_runs_when_due_and_arms_host(void **state) {
    struct probe p;
    (void)state;
    start(&p);
    clock_timer_set(&p.clock, &p.timer, 100);
    assert_int_equal(host_stub.timer_ns, 5100);
    assert_int_equal(clock_next_host_deadline(&p.clock), 5100);
    host_stub.clock_ns = 5099;
    clock_run(&p.clock);
    assert_int_equal(p.calls, 0);
    host_stub.clock_ns = 5100;
    clock_run(&p.clock);
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.now, 100);
    assert_true(clock_next_host_deadline(&p.clock) == UINT64_MAX);
}

static void test_timer_that_rearms_in_the_past_runs_once(void **state) {
    struct probe p;
    (void)state;
    start(&p);
    p.again = 1;
    clock_timer_set(&p.clock, &p.timer, 10);
    host_stub.clock_ns += 1000;
    clock_run(&p.clock);
    assert_int_equal(p.calls, 1);
    assert_int_equal(clock_next_host_deadline(&p.clock), 5000 + 1001);
}

static void test_order_and_cancel(void **state) {
    struct probe p, q;
    (void)state;
    start(&p);
    q = p;
    clock_timer_init(&q.timer, fire, &q);
    clock_timer_set(&p.clock, &p.timer, 200);
    clock_timer_set(&p.clock, &q.timer, 100);
    assert_int_equal(host_stub.timer_ns, 5100);
    clock_timer_cancel(&p.clock, &q.timer);
    assert_int_equal(clock_next_host_deadline(&p.clock), 5200);
    clock_timer_set(&p.clock, &p.timer, CLOCK_NEVER);
    assert_true(clock_next_host_deadline(&p.clock) == UINT64_MAX);
    host_stub.clock_ns += 1000;
    clock_run(&p.clock);
    assert_int_equal(p.calls + q.calls, 0);
}

static void test_tick_conversion_is_exact(void **state) {
    (void)state;
    assert_int_equal(clock_to_ticks(NS_PER_SECOND, 1193182), 1193182);
    assert_int_equal(clock_to_ticks(NS_PER_SECOND - 1, 1193182), 1193181);
    /* 100 years do not overflow. */
    assert_true(clock_to_ticks(UINT64_C(3155760000) * NS_PER_SECOND, 3579545) ==
                UINT64_C(3155760000) * 3579545);
    for (uint64_t tick = 1; tick < 5000000; tick += 12345) {
        uint64_t ns = clock_from_ticks(tick, 1193182);
        assert_int_equal(clock_to_ticks(ns, 1193182), tick);
        assert_int_equal(clock_to_ticks(ns - 1, 1193182), tick - 1);
    }
}

static void test_debt_is_paid_at_a_bounded_rate(void **state) {
    struct tick_debt d = {0};
    uint64_t period = 4000000, now = 50 * period;
    unsigned paid = 0;
    (void)state;
    tick_debt_add(&d, 50, period);
    for (uint64_t t = now; t < now + 10000000; t += 1000)
        paid += tick_debt_pay(&d, t, period);
    assert_int_equal(paid, 20); /* 10 ms, one every 500 us */
    assert_int_equal(d.owed, 30);
    assert_int_equal(tick_debt_due(&d, period), d.paid_at + 500000);
}

static void test_debt_is_capped_at_a_second(void **state) {
    struct tick_debt d = {0};
    (void)state;
    tick_debt_add(&d, 1000000, 4000000);
    assert_int_equal(d.owed, 251);
    tick_debt_add(&d, UINT64_MAX, 4000000);
    assert_int_equal(d.owed, 251);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_starts_at_zero),
        cmocka_unit_test(test_timer_runs_when_due_and_arms_host),
        cmocka_unit_test(test_timer_that_rearms_in_the_past_runs_once),
        cmocka_unit_test(test_order_and_cancel),
        cmocka_unit_test(test_tick_conversion_is_exact),
        cmocka_unit_test(test_debt_is_paid_at_a_bounded_rate),
        cmocka_unit_test(test_debt_is_capped_at_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
