/* bt/landing.c: how hot code looks where a return comes back to, and that it learns. */
#include "tests/unit/bt_rig.h"

#include <string.h>

#include "bt/regs.h"

enum { RAM = 1 << 20, GLA = 0x1000, CALL_BYTES = 5, LANDING = GLA + CALL_BYTES };

static const uint8_t edge_load[] = {0x47, 0x0f, 0xb6, 0x14, 0x0e}; /* movzx r10d, byte [r14+r9] */
static const uint8_t lea_landing[] = {0x45, 0x8d, 0x88, 0xfb, 0xef, 0xff, 0xff}; /* - LANDING */

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    vm.form = VM_FORM_DIRECT;
    return 0;
}

/* CALL to `by` behind it; NOP; RET. */
static struct block *translate_call(uint8_t by, bool hot) {
    const uint8_t code[] = {0xe8, by, 0, 0, 0, 0x90, 0xc3};

    vm.form = hot ? VM_FORM_DIRECT : VM_FORM_SHORT;
    return bt_rig_translate(bt_rig_code(GLA, code, sizeof code), GLA,
                            RIG_KEY | KEY_DIRECT | KEY_FLAT(SEG_SS) | KEY_WIDE(SEG_SS));
}

static const uint8_t *find(const struct block *b, const uint8_t *what, size_t bytes) {
    return memmem(bt_rw(vm.bt, b->host), b->host_size, what, bytes);
}

/* The host address of the load that looks; 0: there is none. */
static uint64_t landing(const struct block *b) {
    const uint8_t *at = find(b, lea_landing, sizeof lea_landing);

    if (!at || memcmp(at + sizeof lea_landing, edge_load, sizeof edge_load) != 0)
        return 0;
    return (uint64_t)(uintptr_t)vm.bt->code.rx + (uint64_t)(at - vm.bt->code.rw) +
           sizeof lea_landing;
}

static uint64_t thunk(uint32_t offset) {
    return (uint64_t)(uintptr_t)(vm.bt->code.rx + offset);
}

static bool refused(struct host_regs *regs, uint64_t by) {
    return landing_refused(vm.bt, &vm.vcpu, regs, (uint64_t)(uintptr_t)vm.vcpu.edge + by);
}

static void hot_code_looks_by_a_load(void **state) {
    (void)state;
    assert_true(landing(translate_call(16, true)));
    assert_false(landing(translate_call(16, false)));
    vm.vcpu.edge = NULL; /* a host without one */
    assert_false(landing(translate_call(16, true)));
}

/* Another EIP than the one behind CALL: the return misses, and what is translated anew does not
 * rely on it, for a while. */
static void a_landing_that_was_wrong_looks_otherwise(void **state) {
    (void)state;
    const struct block *b = translate_call(16, true);
    uint64_t at = landing(b), other;
    struct host_regs regs = {.rip = at,
                             .gpr = {[R8] = LANDING + 0x123, [RSP] = vm.vcpu.tc_stack - 8}};

    memcpy(&other, (const void *)(uintptr_t)(vm.vcpu.tc_stack), sizeof other);
    memcpy((void *)(uintptr_t)(vm.vcpu.tc_stack - 8), &at, sizeof at);
    assert_true(refused(&regs, 0x123));
    assert_int_equal(regs.rip, thunk(vm.bt->thunk_return_miss));
    assert_int_equal(regs.gpr[R8], LANDING + 0x123);
    assert_int_equal(b->page, 0); /* it is dead */
    /* no RET goes there any more */
    assert_memory_equal((const void *)(uintptr_t)(vm.vcpu.tc_stack - 8), &other, sizeof other);
    assert_false(landing(translate_call(16, true)));
    vm.bt->kick_ns += 10000000000;
    assert_true(landing(translate_call(16, true)));
}

/* Also one that is wrong long after the last was. */
static void it_learns_at_once(void **state) {
    (void)state;
    struct host_regs regs = {.gpr = {[R8] = LANDING + 1, [RSP] = vm.vcpu.tc_stack}};

    regs.rip = landing(translate_call(16, true));
    vm.bt->kick_ns += 10000000000;
    assert_true(refused(&regs, 1));
    assert_false(landing(translate_call(16, true)));
}

/* EIP may be anything, below the one behind CALL too. */
static void an_eip_below_is_refused(void **state) {
    (void)state;
    struct host_regs regs = {.rip = landing(translate_call(16, true)),
                             .gpr = {[R8] = 0, [RSP] = vm.vcpu.tc_stack}};

    assert_true(refused(&regs, (uint32_t)-LANDING));
    assert_false(landing(translate_call(16, true)));
}

static void other_faults_are_not_its(void **state) {
    (void)state;
    const struct block *b = translate_call(16, true);
    struct host_regs regs = {.rip = landing(b), .gpr = {[R8] = LANDING + 1}};
    const struct host_regs before = regs;

    assert_false(refused(&regs, 0));
    assert_false(refused(&regs, 1ull << 32));
    regs.rip = thunk(b->host) + CHECK_BYTES - sizeof edge_load; /* the block's own check */
    assert_false(refused(&regs, 1));
    regs.rip = before.rip;
    assert_memory_equal(&regs, &before, sizeof regs);
    assert_ptr_equal(block_at(vm.bt, b->host), b);
}

/* A call of what stands behind it asks for EIP: no RET will come for a host CALL. */
static void call_of_the_next_has_no_landing(void **state) {
    static const uint8_t host_call = 0xe8;

    (void)state;
    const struct block *next = translate_call(0, true);
    assert_false(landing(next));
    assert_null(find(next, &host_call, 1));
    assert_non_null(find(translate_call(16, true), &host_call, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hot_code_looks_by_a_load, translator),
        cmocka_unit_test_setup(a_landing_that_was_wrong_looks_otherwise, translator),
        cmocka_unit_test_setup(it_learns_at_once, translator),
        cmocka_unit_test_setup(an_eip_below_is_refused, translator),
        cmocka_unit_test_setup(other_faults_are_not_its, translator),
        cmocka_unit_test_setup(call_of_the_next_has_no_landing, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
