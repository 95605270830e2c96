/* bt/onward.c: when translated code goes on behind C code, and when the run loop is asked. */
#include "tests/unit/bt_rig.h"

#include "bt/key.h"
#include "vmm/cpu.h"

enum { RAM = 2 << 20, HERE = 0x12345, HOST = 0x4000 };

static struct block block;

/* Protected mode and flat segments, and a block for it that the jump cache knows. */
static int ready(void **state) {
    const struct seg data = {
        .sel = 16, .attr = SEG_G | SEG_DB | SEG_P | SEG_S | SEG_W | SEG_A, .limit = UINT32_MAX};
    struct seg code = data;
    struct vcpu *v = &vm.vcpu;

    (void)state;
    bt_rig(RAM);
    v->cr0 = CR0_PE;
    code.sel = 8;
    code.attr |= SEG_CODE;
    for (unsigned sreg = 0; sreg < SEG_COUNT; sreg++)
        vcpu_set_seg(v, sreg, sreg == SEG_CS ? &code : &data);
    v->eip = HERE;
    block = (struct block){.eip = HERE, .host = HOST, .key = key_of(v, false)};
    jumpcache_use(vm.bt, block.key);
    jumpcache_fill(vm.bt, &block);
    v->exit_slot = EXIT_JUMP;
    return 0;
}

static void to_what_the_jump_cache_knows(void **state) {
    struct vcpu *v = &vm.vcpu;

    (void)state;
    v->sysflags |= EFL_RF;
    v->jc_now = 0;
    v->returns_stale = true;
    assert_int_equal(onward_go(v), block_address(vm.bt, &block));
    assert_int_equal(v->exit_slot, 0);
    assert_int_equal(vm.bt->stats.onward, 1);
    assert_int_equal(v->jc_now, (uintptr_t)vm.bt->jump[0].cache);
    assert_false(v->returns_stale);
    assert_int_equal(v->sysflags & EFL_RF, 0);
    gla_t last;
    assert_int_equal(bt_recent(&vm, &last, 1), 1);
    assert_int_equal(last, HERE);
}

static void asked(uint64_t slot) {
    assert_int_equal(onward_go(&vm.vcpu), 0);
    assert_int_equal(vm.vcpu.exit_slot, slot);
    assert_int_equal(vm.bt->stats.onward, 0);
}

static void what_it_does_not_know_it_will_be_told(void **state) {
    (void)state;
    vm.vcpu.eip = HERE + 1;
    asked(EXIT_ONWARD);
}

/* The run loop makes a table for it before it enters the block there. */
static void of_another_key_it_knows_nothing(void **state) {
    (void)state;
    vm.vcpu.cr0 |= CR0_TS;
    asked(EXIT_ONWARD);
}

/* Such blocks are the same for every base and limit. */
static void code_that_is_not_flat(void **state) {
    struct seg cs = vm.vcpu.seg[SEG_CS];

    (void)state;
    cs.base = 0x1000;
    vcpu_set_seg(&vm.vcpu, SEG_CS, &cs);
    jumpcache_use(vm.bt, key_of(&vm.vcpu, false));
    jumpcache_fill(vm.bt, &block);
    asked(0);
}

static void what_is_due_is_the_run_loops(void **state) {
    (void)state;
    vm.kicked = true;
    asked(0);
    vm.kicked = false;
    vm.stop = true;
    asked(0);
    vm.stop = false;
    vm.vcpu.halted = true;
    asked(0);
    vm.vcpu.halted = false;
    assert_int_not_equal(onward_go(&vm.vcpu), 0);
}

/* The run loop ends what it has begun there, and steps. */
static void blocks_that_return_to_it(void **state) {
    (void)state;
    vm.bt->run_loop_next = true;
    asked(0);
    vm.bt->run_loop_next = false;
    vm.vcpu.sysflags |= EFL_TF | EFL_RF;
    asked(0);
    assert_int_equal(vm.vcpu.sysflags & EFL_RF, EFL_RF);
    vm.vcpu.sysflags &= ~(EFL_TF | EFL_RF);
    vm.vcpu.shadow = SHADOW_MOV_SS;
    asked(0);
    vm.vcpu.shadow = SHADOW_NONE;
    vm.vcpu.ferr = true;
    asked(0);
}

/* An exception is delivered first: here to a table without gates. */
static void a_triple_fault_stops(void **state) {
    (void)state;
    vcpu_raise(&vm.vcpu, VEC_UD);
    asked(0);
    assert_true(vm.stop);
    assert_false(vm.vcpu.exc.pending);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(to_what_the_jump_cache_knows, ready),
        cmocka_unit_test_setup(what_it_does_not_know_it_will_be_told, ready),
        cmocka_unit_test_setup(of_another_key_it_knows_nothing, ready),
        cmocka_unit_test_setup(code_that_is_not_flat, ready),
        cmocka_unit_test_setup(what_is_due_is_the_run_loops, ready),
        cmocka_unit_test_setup(blocks_that_return_to_it, ready),
        cmocka_unit_test_setup(a_triple_fault_stops, ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
