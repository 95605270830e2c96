/* devices/rtc.c, rtc_time.c and calendar.c against the MC146818A data sheet. */
#include "tests/unit/machine.h"

#include "devices/calendar.h"
#include "devices/rtc.h"

#define MS UINT64_C(1000000)

static struct pic pic;
static struct rtc rtc;

static int setup(void **state) {
    (void)state;
    machine_start();
    host_stub.wall_seconds = 1700000000; /* Tuesday 2023-11-14 22:13:20 */
    assert_true(pic_create(&pic, m.vm.bus, machine_line()));
    assert_true(rtc_create(&rtc, m.vm.bus, &m.clock, &pic, 256u << 20));
    rtc_reset(&rtc);
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x03); /* AEOI: the tests count interrupts only */
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, 0x03);
    outb(0x21, 0xfb);
    outb(0xa1, 0xfe);
    return 0;
}

static uint8_t get(unsigned reg) {
    outb(0x70, reg);
    return inb(0x71);
}

static void put(unsigned reg, unsigned value) {
    outb(0x70, reg);
    outb(0x71, value);
}

static void expect_time(unsigned h, unsigned min, unsigned s) {
    assert_int_equal(get(4), h);
    assert_int_equal(get(2), min);
    assert_int_equal(get(0), s);
}

static void expect_date(unsigned century, unsigned y, unsigned mon, unsigned d, unsigned weekday) {
    assert_int_equal(get(0x32), century);
    assert_int_equal(get(9), y);
    assert_int_equal(get(8), mon);
    assert_int_equal(get(7), d);
    assert_int_equal(get(6), weekday);
}

static void test_calendar_round_trip(void **state) {
    static const struct {
        int64_t seconds;
        struct calendar c;
    } known[] = {
        {0, {1970, 1, 1, 0, 0, 0, 5}},           {951782399, {2000, 2, 28, 23, 59, 59, 2}},
        {951782400, {2000, 2, 29, 0, 0, 0, 3}},  {951868800, {2000, 3, 1, 0, 0, 0, 4}},
        {1709164800, {2024, 2, 29, 0, 0, 0, 5}}, {4107542400, {2100, 3, 1, 0, 0, 0, 2}},
        {-86400, {1969, 12, 31, 0, 0, 0, 4}},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct calendar c;
        calendar_from_seconds(&c, known[i].seconds);
        assert_memory_equal(&c, &known[i].c, sizeof c);
        assert_true(calendar_to_seconds(&c) == known[i].seconds);
    }
    /* Every day of 800 years follows the one before. */
    struct calendar last, c;
    calendar_from_seconds(&last, INT64_C(-62167219200));
    for (int64_t day = 1; day < 2 * 146097; day++) {
        int64_t t = INT64_C(-62167219200) + day * 86400;
        calendar_from_seconds(&c, t);
        assert_true(calendar_to_seconds(&c) == t);
        assert_int_equal(c.weekday, last.weekday % 7 + 1);
        if (c.day == 1)
            assert_true(c.month == last.month % 12 + 1);
        else
            assert_true(c.day == last.day + 1 && c.month == last.month);
        last = c;
    }
}

static void test_starts_at_host_time(void **state) {
    (void)state;
    expect_time(0x22, 0x13, 0x20);
    expect_date(0x20, 0x23, 0x11, 0x14, 3);
    assert_int_equal(get(0x0d), 0x80);
    pass(1999 * MS);
    expect_time(0x22, 0x13, 0x21);
    pass(1 * MS);
    expect_time(0x22, 0x13, 0x22);
}

static void test_carries_into_date(void **state) {
    (void)state;
    put(0x0b, 0x82);
    put(0, 0x59);
    put(2, 0x59);
    put(4, 0x23);
    put(7, 0x28);
    put(8, 0x02);
    put(9, 0x24);
    put(6, 7);
    put(0x0b, 0x02);
    pass(1000 * MS);
    expect_time(0, 0, 0);
    expect_date(0x20, 0x24, 0x02, 0x29, 1);
    pass(86400000 * MS);
    expect_date(0x20, 0x24, 0x03, 0x01, 2);
}

static void test_binary_12_hours(void **state) {
    (void)state;
    put(0x0b, 0x84);
    put(4, 0x80 | 11); /* 23 h */
    put(2, 59);
    put(0, 59);
    put(7, 31);
    put(8, 12);
    put(9, 99);
    put(0x32, 19);
    put(0x0b, 0x04);
    expect_time(0x8b, 59, 59);
    pass(1000 * MS);
    expect_time(12, 0, 0); /* midnight is 12 AM */
    assert_int_equal(get(9), 0);
    assert_int_equal(get(0x32), 20);
    pass(12 * 3600000 * MS);
    expect_time(0x80 | 12, 0, 0);
    pass(3600000 * MS);
    expect_time(0x81, 0, 0);
}

static void test_set_bit_freezes_time(void **state) {
    (void)state;
    put(0x0b, 0x92);
    assert_int_equal(get(0x0b), 0x82); /* SET clears UIE */
    pass(5000 * MS);
    expect_time(0x22, 0x13, 0x20);
    assert_int_equal(get(0x0a) & 0x80, 0);
    put(0x0b, 0x02);
    pass(1000 * MS);
    expect_time(0x22, 0x13, 0x21);
}

static void test_update_in_progress(void **state) {
    (void)state;
    assert_int_equal(get(0x0a), 0x26);
    pass(997771000);
    assert_int_equal(get(0x0a), 0x26);
    pass(1000);
    assert_int_equal(get(0x0a), 0xa6);
    pass(2227999);
    assert_int_equal(get(0x0a), 0xa6);
    expect_time(0x22, 0x13, 0x20);
    pass(1);
    assert_int_equal(get(0x0a), 0x26);
    expect_time(0x22, 0x13, 0x21);
}

static void test_divider_reset(void **state) {
    (void)state;
    put(0x0a, 0x76);
    pass(10000 * MS);
    expect_time(0x22, 0x13, 0x20);
    put(0x0a, 0x26);
    pass(499 * MS);
    expect_time(0x22, 0x13, 0x20);
    pass(1 * MS); /* the first update comes half a second later */
    expect_time(0x22, 0x13, 0x21);
    pass(1000 * MS);
    expect_time(0x22, 0x13, 0x22);
}

static void test_flags_without_interrupts(void **state) {
    (void)state;
    get(0x0c);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
    pass(2 * MS);
    assert_int_equal(get(0x0c), 0x40);
    pass(1000 * MS);
    assert_int_equal(get(0x0c), 0x50);
    assert_int_equal(get(0x0c), 0x00);
    assert_false(m.level);
}

static void test_update_interrupt(void **state) {
    (void)state;
    get(0x0c);
    put(0x0b, 0x12);
    run_for(999 * MS);
    assert_false(m.level);
    run_for(1 * MS);
    assert_true(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x28);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX); /* until it is read */
    assert_int_equal(get(0x0c) & 0xbf, 0x90);
    run_for(1000 * MS);
    assert_true(m.level);
}

static void test_alarm(void **state) {
    (void)state;
    put(1, 0x25);
    put(3, 0x13);
    put(5, 0x22);
    get(0x0c);
    put(0x0b, 0x22);
    assert_int_equal(clock_next_host_deadline(&m.clock), m.clock.origin + 5000 * MS);
    run_for(5000 * MS);
    assert_true(m.level);
    assert_int_equal(get(0x0c) & 0xa0, 0xa0);
    /* The next one is a day later. */
    assert_int_equal(clock_next_host_deadline(&m.clock), m.clock.origin + 86405000 * MS);
    put(5, 0xff);
    put(3, 0xc0);
    put(1, 0x10);
    assert_int_equal(clock_next_host_deadline(&m.clock), m.clock.origin + 50000 * MS);
    put(1, 0x75); /* no such second */
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
}

static unsigned count_interrupts(uint64_t ns) {
    unsigned n = 0;
    for (uint64_t t = 0; t < ns; t += 50000) {
        pass(50000);
        if (m.level) {
            pic_acknowledge(&pic);
            n += get(0x0c) >> 6 & 1;
        }
    }
    return n;
}

static void test_periodic_interrupt(void **state) {
    (void)state;
    put(0x0b, 0x42);
    assert_in_range(count_interrupts(1000 * MS), 1022, 1026);
    put(0x0a, 0x2f); /* 2 Hz */
    get(0x0c);
    assert_in_range(count_interrupts(2000 * MS), 4, 4);
    put(0x0a, 0x20);
    assert_int_equal(count_interrupts(2000 * MS), 0);
    put(0x0a, 0x21); /* as rate 8 */
    assert_in_range(count_interrupts(1000 * MS), 255, 257);
}

static void test_lost_periods_come_back(void **state) {
    (void)state;
    put(0x0a, 0x2a); /* 64 Hz */
    put(0x0b, 0x42);
    get(0x0c);
    pass(500 * MS);
    unsigned n = count_interrupts(10 * MS);
    assert_in_range(n, 15, 22);
    n += count_interrupts(490 * MS);
    assert_in_range(n, 62, 65);
}

static void test_no_timer_while_masked(void **state) {
    (void)state;
    outb(0xa1, 0xff);
    put(0x0b, 0x72);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
    pass(1000 * MS);
    outb(0xa1, 0xfe);
    assert_true(m.level);
}

static void test_memory_words(void **state) {
    (void)state;
    assert_int_equal(get(0x15) | get(0x16) << 8, 640);
    assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
    assert_int_equal(get(0x30) | get(0x31) << 8, 0xffff);
    assert_int_equal(get(0x34) | get(0x35) << 8, 240 * 16);
    assert_int_equal(get(0x5b) | get(0x5c) | get(0x5d), 0);
    unsigned sum = 0;
    for (unsigned i = 0x10; i <= 0x2d; i++)
        sum += get(i);
    assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
    put(0x7f, 0x5a);
    assert_int_equal(get(0xff), 0x5a); /* bit 7 of the index is the NMI mask */
    put(0x0d, 0);
    assert_int_equal(get(0x0d), 0x80);
}

static void test_hostile_registers(void **state) {
    (void)state;
    for (unsigned reg = 0; reg < 10; reg++)
        put(reg, 0xff);
    put(0x32, 0xff);
    put(0x0b, 0x72);
    pass(UINT64_C(100) * 365 * 86400 * NS_PER_SECOND);
    assert_in_range(get(8), 1, 0x12);
    assert_in_range(get(7), 1, 0x31);
}

static void test_reset_keeps_time(void **state) {
    (void)state;
    put(0x0b, 0x72);
    pass(1000 * MS);
    assert_true(m.level);
    rtc_reset(&rtc);
    assert_false(m.level);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0c), 0);
    expect_time(0x22, 0x13, 0x21);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar_round_trip),
        T(test_starts_at_host_time),
        T(test_carries_into_date),
        T(test_binary_12_hours),
        T(test_set_bit_freezes_time),
        T(test_update_in_progress),
        T(test_divider_reset),
        T(test_flags_without_interrupts),
        T(test_update_interrupt),
        T(test_alarm),
        T(test_periodic_interrupt),
        T(test_lost_periods_come_back),
        T(test_no_timer_while_masked),
        T(test_memory_words),
        T(test_hostile_registers),
        T(test_reset_keeps_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
