/* bt/fault.c: a kick finds translated code wherever it is. */
#include "tests/unit/bt_rig.h"

#include "bt/regs.h"

enum { RAM = 1 << 20, CACHE = 0x1234 /* R13 */ };

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    return 0;
}

/* R13 behind a kick that comes while code at this TC offset runs. */
static uint64_t r13_after_kick(uint32_t offset, uint64_t rsp) {
    struct host_regs regs = {.rip = (uint64_t)(uintptr_t)(vm.bt->code.rx + offset),
                             .gpr = {[REG_JUMP_CACHE] = CACHE, [RSP] = rsp}};

    bt_kick(&vm.vcpu, &regs);
    return regs.gpr[REG_JUMP_CACHE];
}

static void the_next_poll_finds_it(void **state) {
    (void)state;
    uint64_t poison = (uint64_t)(uintptr_t)vm.bt->poison, base = vm.vcpu.tc_stack;

    assert_int_equal(r13_after_kick(vm.bt->blocks_start, base), poison);
    assert_int_equal(r13_after_kick(vm.bt->blocks_start, base - 64), poison);
    assert_int_equal(vm.vcpu.jc_now, poison);
}

/* RET with nothing due has popped what the stack begins with. */
static void also_behind_a_return_that_misses(void **state) {
    (void)state;
    assert_int_equal(r13_after_kick(vm.bt->thunk_return_miss, vm.vcpu.tc_stack + 8),
                     (uint64_t)(uintptr_t)vm.bt->poison);
}

/* Thunks save C's registers on the run loop's stack. */
static void registers_of_c_stay(void **state) {
    uint64_t other;

    (void)state;
    assert_int_equal(r13_after_kick(vm.bt->thunk_enter, (uint64_t)(uintptr_t)&other), CACHE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_next_poll_finds_it, translator),
        cmocka_unit_test_setup(also_behind_a_return_that_misses, translator),
        cmocka_unit_test_setup(registers_of_c_stay, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
