/* devices/pit.c and pit_counter.c against the 8254 data sheet. */
#include "tests/unit/machine.h"

#include "devices/pit.h"

static struct pic pic;
static struct pit pit;

/* Time of PIT tick n, and the clock moved there. */
static uint64_t tick_ns(uint64_t n) {
    return clock_from_ticks(n, PIT_HZ);
}

static uint64_t base_tick;

static void at_tick(uint64_t n) {
    host_stub.clock_ns = m.clock.origin + tick_ns(base_tick + n);
}

static int setup(void **state) {
    (void)state;
    machine_start();
    assert_true(pic_create(&pic, m.vm.bus, machine_line()));
    assert_true(pit_create(&pit, m.vm.bus, &m.clock, &pic));
    pit_reset(&pit);
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0x21, 0xff);
    base_tick = 1000000;
    at_tick(0);
    return 0;
}

/* Programs a counter with both bytes at tick 0. */
static void program(unsigned counter, unsigned mode, unsigned count) {
    outb(0x43, counter << 6 | 0x30 | mode << 1);
    outb((uint16_t)(0x40 + counter), count & 0xff);
    outb((uint16_t)(0x40 + counter), count >> 8);
}

static unsigned count_of(unsigned counter) {
    outb(0x43, counter << 6);
    unsigned low = inb((uint16_t)(0x40 + counter));
    return low | inb((uint16_t)(0x40 + counter)) << 8u;
}

static void expect(unsigned counter, uint64_t tick, bool out, unsigned count) {
    at_tick(tick);
    assert_int_equal(pit_out(&pit, counter), out);
    assert_int_equal(count_of(counter), count);
}

static void test_mode0(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 0, 4); /* the count is loaded at tick 1 */
    expect(2, 1, false, 4);
    expect(2, 2, false, 3);
    expect(2, 4, false, 1);
    expect(2, 5, true, 0);
    expect(2, 6, true, 0xffff); /* counts on, OUT stays */
}

static void test_mode0_gate_pauses(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 0, 10);
    at_tick(4);
    pit_set_gate(&pit, 2, false);
    expect(2, 50, false, 7);
    pit_set_gate(&pit, 2, true);
    expect(2, 52, false, 5);
    expect(2, 57, true, 0);
}

static void test_mode0_first_byte_stops(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 0, 4);
    at_tick(20);
    assert_true(pit_out(&pit, 2));
    outb(0x42, 9);
    assert_false(pit_out(&pit, 2));
    at_tick(100);
    assert_false(pit_out(&pit, 2));
    outb(0x42, 0);
    expect(2, 109, false, 1);
    expect(2, 110, true, 0);
}

static void test_mode1(void **state) {
    (void)state;
    program(2, 1, 3);
    at_tick(10);
    assert_true(pit_out(&pit, 2));
    pit_set_gate(&pit, 2, true);
    expect(2, 11, false, 3);
    expect(2, 13, false, 1);
    expect(2, 14, true, 0);
    pit_set_gate(&pit, 2, false);
    pit_set_gate(&pit, 2, true); /* retrigger at 14 */
    expect(2, 15, false, 3);
    at_tick(16);
    outb(0x42, 5); /* a new count waits for the next trigger */
    outb(0x42, 0);
    expect(2, 18, true, 0);
    pit_set_gate(&pit, 2, false);
    pit_set_gate(&pit, 2, true);
    expect(2, 19, false, 5);
}

static void test_mode2(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 2, 3);
    expect(2, 1, true, 3);
    expect(2, 2, true, 2);
    expect(2, 3, false, 1);
    expect(2, 4, true, 3);
    expect(2, 6, false, 1);
    at_tick(7);
    outb(0x42, 5); /* takes effect when the cycle 3 2 1 is over, at 10 */
    outb(0x42, 0);
    expect(2, 9, false, 1);
    expect(2, 10, true, 5);
    expect(2, 14, false, 1);
    pit_set_gate(&pit, 2, false);
    assert_true(pit_out(&pit, 2));
    at_tick(20);
    pit_set_gate(&pit, 2, true);
    expect(2, 21, true, 5);
}

static void test_mode3_even(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 3, 4);
    expect(2, 1, true, 4);
    expect(2, 2, true, 2);
    expect(2, 3, false, 4);
    expect(2, 4, false, 2);
    expect(2, 5, true, 4);
}

static void test_mode3_odd(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 3, 5);
    expect(2, 1, true, 4);
    expect(2, 2, true, 2);
    expect(2, 3, true, 0);
    expect(2, 4, false, 4);
    expect(2, 5, false, 2);
    expect(2, 6, true, 4);
}

static void test_mode3_new_count_at_half_cycle(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 3, 8); /* high 1-4, low 5-8 */
    at_tick(2);
    outb(0x42, 4);
    outb(0x42, 0);
    expect(2, 4, true, 2);
    expect(2, 5, false, 4);
    expect(2, 6, false, 2);
    expect(2, 7, true, 4);
}

static void test_mode4(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 4, 3);
    expect(2, 1, true, 3);
    expect(2, 3, true, 1);
    expect(2, 4, false, 0);
    expect(2, 5, true, 0xffff);
}

static void test_mode5(void **state) {
    (void)state;
    program(2, 5, 3);
    at_tick(9);
    pit_set_gate(&pit, 2, true);
    expect(2, 10, true, 3);
    expect(2, 13, false, 0);
    expect(2, 14, true, 0xffff);
}

static void test_bcd(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    outb(0x43, 0xb1);
    outb(0x42, 0x00);
    outb(0x42, 0x10);
    expect(2, 2, false, 0x0999);
    expect(2, 1001, true, 0);
    expect(2, 1002, true, 0x9999);
    outb(0x43, 0xb5); /* mode 2, count 0 = 10000 */
    outb(0x42, 0);
    outb(0x42, 0);
    at_tick(2000);
    assert_int_equal(count_of(2), 0x9003);
}

static void test_single_byte_access(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    outb(0x43, 0x94); /* low byte only, mode 2 */
    outb(0x42, 100);
    at_tick(11);
    assert_int_equal(inb(0x42), 90);
    outb(0x43, 0xa4); /* high byte only */
    outb(0x42, 2);
    at_tick(11 + 1 + 256);
    assert_int_equal(inb(0x42), 1);
}

static void test_latch_holds_until_read(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 2, 1000);
    at_tick(1);
    outb(0x43, 0x80);
    at_tick(100);
    outb(0x43, 0x80); /* ignored: still latched */
    assert_int_equal(inb(0x42), 1000 & 255);
    assert_int_equal(inb(0x42), 1000 >> 8);
    assert_int_equal(inb(0x42), 901 & 255); /* live again */
}

static void test_read_back(void **state) {
    (void)state;
    pit_set_gate(&pit, 2, true);
    program(2, 2, 1000);
    outb(0x43, 0xe8);                  /* status only, counter 2 */
    assert_int_equal(inb(0x42), 0xf4); /* OUT high, null count, RW 3, mode 2 */
    at_tick(1);
    outb(0x43, 0xc8); /* both */
    at_tick(50);
    assert_int_equal(inb(0x42), 0xb4);
    assert_int_equal(inb(0x42), 1000 & 255);
    assert_int_equal(inb(0x42), 1000 >> 8);
    outb(0x43, 0xd2); /* count only, counter 0: counter 2 is not latched */
    assert_int_equal(inb(0x42), 951 & 255);
    assert_int_equal(inb(0x43), 0xff);
}

/* -- IRQ 0 -- */

static void unmask(void) {
    outb(0x21, 0xfe);
}

/* As the guest's handler. False: nothing to take. */
static bool take(void) {
    if (!m.level)
        return false;
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    outb(0x20, 0x20);
    return true;
}

static unsigned take_all_for(uint64_t ns) {
    unsigned n = 0;
    for (uint64_t t = 0; t < ns; t += 10000) {
        pass(10000);
        n += take();
    }
    return n;
}

static void test_periodic_rate(void **state) {
    (void)state;
    program(0, 2, 11932); /* 100 Hz */
    unmask();
    while (take())
        ;
    unsigned n = take_all_for(1000000000);
    assert_in_range(n, 99, 101);
}

static void test_no_timer_while_masked(void **state) {
    (void)state;
    program(0, 2, 11932);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
    pass(50000000);
    outb(0x20, 0x0a);
    assert_int_equal(inb(0x20) & 1, 1); /* yet the request is there for who looks */
    assert_false(m.level);
    unmask();
    assert_true(m.level);
}

static void test_lost_ticks_come_back_at_a_bounded_rate(void **state) {
    (void)state;
    program(0, 2, 4773); /* 250 Hz */
    unmask();
    while (take())
        ;
    pass(200000000); /* nobody ran for 50 ticks */
    unsigned burst = 0;
    while (take())
        burst++;
    assert_int_equal(burst, 1);
    unsigned n = burst + take_all_for(10000000);
    assert_in_range(n, 15, 22); /* at most one per 500 us */
    n += take_all_for(190000000);
    assert_in_range(n, 98, 101);
}

static void test_backlog_is_capped(void **state) {
    (void)state;
    program(0, 2, 11932);
    unmask();
    while (take())
        ;
    pass(UINT64_C(3600) * NS_PER_SECOND);
    unsigned n = take_all_for(1000000000);
    assert_in_range(n, 198, 203); /* one second's worth, and the second that passed */
}

static void test_brief_masking_loses_nothing(void **state) {
    unsigned n = 0;
    (void)state;
    program(0, 2, 11932);
    unmask();
    while (take())
        ;
    for (unsigned i = 0; i < 50; i++) {
        outb(0x21, 0xff);
        pass(20000000); /* two ticks */
        unmask();
        n += take();
        n += take_all_for(1000000);
    }
    assert_in_range(n, 100, 106); /* 50 times 21 ms */
}

static void test_one_shot_mode0(void **state) {
    (void)state;
    unmask();
    program(0, 0, 1193);
    while (take())
        ;
    assert_int_equal(take_all_for(900000), 0);
    assert_int_equal(take_all_for(200000), 1);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
    assert_int_equal(take_all_for(100000000), 0);
}

static void test_one_shot_mode4_repeats_when_written(void **state) {
    (void)state;
    unmask();
    outb(0x43, 0x38);
    while (take())
        ;
    for (unsigned i = 0; i < 3; i++) {
        outb(0x40, 0x00);
        outb(0x40, 0x10); /* 4096 ticks: 3.43 ms */
        assert_int_equal(take_all_for(3400000), 0);
        assert_int_equal(take_all_for(100000), 1);
    }
    assert_int_equal(take_all_for(100000000), 0);
}

static void test_reprogramming_withdraws_a_request(void **state) {
    (void)state;
    unmask();
    program(0, 0, 100);
    pass(1000000);
    assert_true(m.level);
    program(0, 0, 0xffff);
    assert_false(m.level);
}

static void test_smallest_period_is_bounded(void **state) {
    (void)state;
    program(0, 2, 1);
    unmask();
    m.rises = 0;
    unsigned n = take_all_for(10000000);
    assert_in_range(n, 150, 201); /* one per 50 us at most */
}

static void test_new_period_takes_over_at_cycle_end(void **state) {
    (void)state;
    program(0, 2, 11932);
    unmask();
    while (take())
        ;
    pass(100000);     /* well inside the first cycle */
    outb(0x40, 0xa9); /* 4777 ticks: 4 ms */
    outb(0x40, 0x12);
    assert_int_equal(take_all_for(9800000), 0);
    assert_int_equal(take_all_for(200000), 1);
    assert_int_equal(take_all_for(40000000), 10);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_mode0),
        T(test_mode0_gate_pauses),
        T(test_mode0_first_byte_stops),
        T(test_mode1),
        T(test_mode2),
        T(test_mode3_even),
        T(test_mode3_odd),
        T(test_mode3_new_count_at_half_cycle),
        T(test_mode4),
        T(test_mode5),
        T(test_bcd),
        T(test_single_byte_access),
        T(test_latch_holds_until_read),
        T(test_read_back),
        T(test_periodic_rate),
        T(test_no_timer_while_masked),
        T(test_lost_ticks_come_back_at_a_bounded_rate),
        T(test_backlog_is_capped),
        T(test_brief_masking_loses_nothing),
        T(test_one_shot_mode0),
        T(test_one_shot_mode4_repeats_when_written),
        T(test_reprogramming_withdraws_a_request),
        T(test_smallest_period_is_bounded),
        T(test_new_period_takes_over_at_cycle_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
