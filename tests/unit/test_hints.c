/* bt/hints.c: which instructions get the checked form, and for how long. */
#include "tests/unit/bt_rig.h"

#define CODE 0x00104000u

enum { HALF_A_SECOND = 500, FAULTS = 64 };

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
    hint_set_brief(vm.bt, CODE);
    pass(HALF_A_SECOND - 1);
    hint_set_brief(vm.bt, CODE + 8);
    hint_set_brief(vm.bt, CODE); /* is one already: its time does not begin again */
    assert_true(hint_get(vm.bt, CODE));
    pass(1);
    assert_false(hint_get(vm.bt, CODE));
    assert_true(hint_get(vm.bt, CODE + 8));
    pass(HALF_A_SECOND - 1);
    assert_false(hint_get(vm.bt, CODE + 8));
}

static void a_brief_hint_does_not_shorten_a_lasting_one(void **state) {
    (void)state;
    hint_set(vm.bt, CODE);
    hint_set_brief(vm.bt, CODE);
    pass(HALF_A_SECOND);
    assert_true(hint_get(vm.bt, CODE));
}

static void the_oldest_makes_room(void **state) {
    (void)state;
    for (unsigned i = 0; i <= BRIEF_HINTS; i++)
        assert_true(hint_set_brief(vm.bt, CODE + i) == (i < BRIEF_HINTS));
    assert_false(hint_get(vm.bt, CODE));
    for (unsigned i = 1; i <= BRIEF_HINTS; i++)
        assert_true(hint_get(vm.bt, CODE + i));
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
        cmocka_unit_test_setup(a_brief_hint_does_not_shorten_a_lasting_one, rig_up),
        cmocka_unit_test_setup(the_oldest_makes_room, rig_up),
        cmocka_unit_test_setup(faults_are_many_in_time, rig_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
