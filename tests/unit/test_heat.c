/* bt/heat.c: when samples make a page hot, and for how long. */
#include "tests/unit/unit.h"

#include "bt/bt_priv.h"
#include "bt/key.h"

static struct code_page page;

static int fresh_page(void **state) {
    (void)state;
    page = (struct code_page){.user = true};
    return 0;
}

static void three_samples_in_a_window(void **state) {
    (void)state;
    assert_false(heat_add(&page, 1000));
    assert_false(heat_add(&page, 1001));
    assert_false(heat_is_hot(&page, 1001));
    assert_true(heat_add(&page, 1255));
    assert_true(heat_is_hot(&page, 1255));
    assert_false(heat_add(&page, 1256)); /* it is already */
}

static void samples_far_apart(void **state) {
    (void)state;
    for (uint32_t now = 1000; now < 100000; now += 200)
        assert_false(heat_add(&page, now));
    assert_false(heat_is_hot(&page, 100000));
}

static void hot_pages_cool_down(void **state) {
    (void)state;
    for (uint32_t now = 5; now <= 7; now++)
        heat_add(&page, now);
    assert_true(heat_is_hot(&page, 7 + 4095));
    assert_false(heat_is_hot(&page, 7 + 4096));
    /* and it takes as many samples again */
    assert_false(heat_add(&page, 5000));
    assert_false(heat_add(&page, 5001));
    assert_true(heat_add(&page, 5002));
}

static void clock_wraps(void **state) {
    (void)state;
    assert_false(heat_add(&page, UINT32_MAX - 1));
    assert_false(heat_add(&page, UINT32_MAX));
    assert_true(heat_add(&page, 0));
    assert_true(heat_is_hot(&page, 100));
}

/* Of the kernel's as of user code; not of what runs in checked form or one instruction at a time.
 */
static void what_may_be_hot(void **state) {
    static struct vm vm;
    static struct bt bt = {.vm = &vm};
    static struct code_page pages[2];
    const uint32_t direct = KEY_DIRECT | KEY_FLAT(SEG_CS);
    const struct {
        uint32_t key;
        bool may;
    } of[] = {{direct, true},      {direct | KEY_GLOBAL, true},
              {direct | 3, true},  {direct | KEY_SINGLE, false},
              {KEY_DIRECT, false}, {KEY_FLAT(SEG_CS), false}};

    (void)state;
    bt.pages = pages;
    for (unsigned k = 0; k < sizeof of / sizeof of[0]; k++) {
        struct block b = {.page = 1, .key = of[k].key};
        bt.heated = 0;
        pages[1] = (struct code_page){0};
        for (unsigned n = 0; n < 3; n++) {
            assert_false(heat_extends(&bt, &b));
            assert_int_equal(heat_sample(&bt, &b), of[k].may);
        }
        assert_int_equal(heat_extends(&bt, &b), of[k].may);
        assert_int_equal(bt.heated, of[k].may);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(three_samples_in_a_window, fresh_page),
        cmocka_unit_test_setup(samples_far_apart, fresh_page),
        cmocka_unit_test_setup(hot_pages_cool_down, fresh_page),
        cmocka_unit_test_setup(clock_wraps, fresh_page),
        cmocka_unit_test(what_may_be_hot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
