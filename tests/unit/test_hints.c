/* bt/hints.c: which instructions get the checked form, and for how long. */
#include "tests/unit/bt_rig.h"

#define CODE 0x00104000u

enum { FIRST = 30, MOST = 480, FAULTS = 64 }; /* ms, ms, faults */

static int rig_up(void **state) {
    (void)state;
    bt_rig(4 << 20);
    return 0;
}

static void pass(unsigned ms) {
    vm.bt->kick_ns += ms * 1000000ull;
    hint_expire(vm.bt);
}

static void hints_stay(void **state) {
    (void)state;
    assert_false(hint_get(vm.bt, CODE));
    hint_set(vm.bt, CODE);
    pass(1000);
    assert_true(hint_get(vm.bt, CODE));
    assert_false(hint_get(vm.bt, CODE + 1));
}

static void brief_hints_go(void **state) {
    (void)state;
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE);
    pass(FIRST - 1);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE + 8);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE); /* is one already: its time does not begin again */
    assert_true(hint_get(vm.bt, CODE));
    pass(1);
    assert_false(hint_get(vm.bt, CODE));
    assert_true(hint_get(vm.bt, CODE + 8));
    pass(FIRST - 1);
    assert_false(hint_get(vm.bt, CODE + 8));
}

/* Sets one and says after how many ms it goes. */
static unsigned life(gla_t gla) {
    unsigned ms = 0;

    hint_set_brief(vm.bt, BRIEF_CHURNS, gla);
    for (; hint_get(vm.bt, gla); ms++)
        pass(1);
    return ms;
}

static void they_last_longer_if_they_come_back(void **state) {
    (void)state;
    for (unsigned ms = FIRST; ms <= MOST; ms *= 2)
        assert_int_equal(life(CODE), ms);
    assert_int_equal(life(CODE), MOST);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE);
    for (unsigned i = 0; i < BRIEF_HINTS; i++) /* goes before its time */
        hint_set_brief(vm.bt, BRIEF_CHURNS, CODE + 64 + i);
    assert_false(hint_get(vm.bt, CODE));
    assert_int_equal(life(CODE), MOST);
    assert_int_equal(life(CODE + 8), FIRST);
    pass(8 * MOST);
    assert_int_equal(life(CODE), FIRST); /* not that late */
}

/* One that came first and lasts does not keep others from going. */
static void each_goes_at_its_time(void **state) {
    (void)state;
    life(CODE);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE + 8);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE + 16);
    pass(FIRST);
    assert_true(hint_get(vm.bt, CODE));
    assert_false(hint_get(vm.bt, CODE + 8));
    assert_false(hint_get(vm.bt, CODE + 16));
    pass(FIRST);
    assert_false(hint_get(vm.bt, CODE));
}

static void a_brief_hint_does_not_shorten_a_lasting_one(void **state) {
    (void)state;
    hint_set(vm.bt, CODE);
    hint_set_brief(vm.bt, BRIEF_CHURNS, CODE);
    pass(MOST);
    assert_true(hint_get(vm.bt, CODE));
}

static void the_oldest_makes_room(void **state) {
    (void)state;
    for (unsigned i = 0; i <= BRIEF_HINTS; i++)
        assert_true(hint_set_brief(vm.bt, BRIEF_CHURNS, CODE + i) == (i < BRIEF_HINTS));
    assert_false(hint_get(vm.bt, CODE));
    for (unsigned i = 1; i <= BRIEF_HINTS; i++)
        assert_true(hint_get(vm.bt, CODE + i));
}

static void each_kind_has_its_own_room(void **state) {
    (void)state;
    for (unsigned i = 0; i < BRIEF_HINTS; i++)
        hint_set_brief(vm.bt, BRIEF_FAULTS, CODE + i);
    assert_true(hint_set_brief(vm.bt, BRIEF_CHURNS, CODE + BRIEF_HINTS));
    assert_false(hint_set_brief(vm.bt, BRIEF_FAULTS, CODE + BRIEF_HINTS + 1));
    pass(FIRST);
    for (unsigned i = 0; i < BRIEF_HINTS + 2; i++)
        assert_false(hint_get(vm.bt, CODE + i));
}

/* Kicks may come every millisecond: they are no clock. */
static void faults_are_many_in_time(void **state) {
    (void)state;
    for (unsigned i = 1; i < FAULTS; i++) {
        pass(i % 4 == 0);
        assert_false(hint_after_fault(vm.bt, CODE));
    }
    assert_true(hint_after_fault(vm.bt, CODE));
    for (unsigned i = 0; i < FAULTS; i++) {
        pass(1);
        assert_false(hint_after_fault(vm.bt, CODE + 1));
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hints_stay, rig_up),
        cmocka_unit_test_setup(brief_hints_go, rig_up),
        cmocka_unit_test_setup(they_last_longer_if_they_come_back, rig_up),
        cmocka_unit_test_setup(each_goes_at_its_time, rig_up),
        cmocka_unit_test_setup(a_brief_hint_does_not_shorten_a_lasting_one, rig_up),
        cmocka_unit_test_setup(the_oldest_makes_room, rig_up),
        cmocka_unit_test_setup(each_kind_has_its_own_room, rig_up),
        cmocka_unit_test_setup(faults_are_many_in_time, rig_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
