/* bt_intr(): INTR that rises while translated code waits for a callout. */
#include "bt/bt.h"
#include "tests/unit/bt_rig.h"

static uint64_t poison(void) {
    return (uint64_t)(uintptr_t)vm.bt->poison;
}

static int running(void **state) {
    (void)state;
    bt_rig(1 << 20);
    run_arm(vm.bt, &vm.vcpu);
    assert_int_equal(vm.vcpu.sti_exits, 0);
    assert_true(vm.vcpu.jc_now != poison() && vm.vcpu.jc_sti != poison());
    return 0;
}

/* Code with IF clear is not disturbed, until it sets it. */
static void masked(void **state) {
    (void)state;
    vm.vcpu.ifl = 0;
    bt_intr(&vm.vcpu);
    assert_true(vm.vcpu.jc_now != poison());
    assert_true(vm.vcpu.jc_sti == poison());
    assert_int_equal(vm.vcpu.sti_exits, 1);
    assert_false(vm.kicked);
}

static void accepted(void **state) {
    (void)state;
    vm.vcpu.ifl = EFL_IF;
    bt_intr(&vm.vcpu);
    assert_true(vm.vcpu.jc_now == poison());
    assert_true(vm.kicked);
}

/* The run loop comes to the same. */
static void armed_with_it(void **state) {
    (void)state;
    vm.vcpu.ifl = 0;
    vm.vcpu.intr_line = true;
    run_arm(vm.bt, &vm.vcpu);
    assert_true(vm.vcpu.jc_now != poison());
    assert_true(vm.vcpu.jc_sti == poison());
    assert_int_equal(vm.vcpu.sti_exits, 1);
    vm.vcpu.intr_line = false;
    vm.kicked = true;
    run_arm(vm.bt, &vm.vcpu);
    assert_true(vm.vcpu.jc_now == poison());
    assert_int_equal(vm.vcpu.sti_exits, 1);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(masked, running),
        cmocka_unit_test_setup(accepted, running),
        cmocka_unit_test_setup(armed_with_it, running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
