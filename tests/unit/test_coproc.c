/* devices/coproc.c: FERR#, IRQ 13, port F0h, IGNNE#. */
#include "tests/unit/machine.h"

#include "devices/coproc.h"

static struct coproc coproc;
static bool ignne;

static int setup(void **state) {
    (void)state;
    machine_start();
    ignne = true;
    assert_true(coproc_create(&coproc, m.vm.bus, machine_line(), &ignne));
    coproc_reset(&coproc);
    return 0;
}

static void test_reset(void **state) {
    (void)state;
    assert_false(ignne);
    coproc_set_ferr(&coproc, true);
    outb(0xf0, 0);
    coproc_set_ferr(&coproc, false);
    coproc_set_ferr(&coproc, true);
    coproc_reset(&coproc);
    assert_false(ignne);
    assert_false(m.level);
    outb(0xf0, 0);
    assert_false(ignne);
}

static void test_write_without_error(void **state) {
    (void)state;
    outb(0xf0, 0);
    assert_false(ignne);
    assert_int_equal(m.rises, 0);
    assert_int_equal(inb(0xf0), 0xff);
}

static void test_error_until_cleared(void **state) {
    (void)state;
    coproc_set_ferr(&coproc, true);
    assert_true(m.level);
    assert_false(ignne);
    coproc_set_ferr(&coproc, true);
    assert_int_equal(m.rises, 1);
    outb(0xf0, 0xa5);
    assert_false(m.level);
    assert_true(ignne);
    coproc_set_ferr(&coproc, true); /* it is one error */
    assert_false(m.level);
    coproc_set_ferr(&coproc, false);
    assert_false(ignne);
    coproc_set_ferr(&coproc, true);
    assert_int_equal(m.rises, 2);
    assert_false(ignne);
}

static void test_request_outlives_error(void **state) {
    (void)state;
    coproc_set_ferr(&coproc, true);
    coproc_set_ferr(&coproc, false);
    assert_true(m.level);
    outb(0xf0, 0);
    assert_false(m.level);
    assert_false(ignne);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_reset),
        T(test_write_without_error),
        T(test_error_until_cleared),
        T(test_request_outlives_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
