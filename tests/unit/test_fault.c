/* bt/fault.c: exceptions of the host in translated code. */
#include "tests/unit/bt_rig.h"

#include "bt/regs.h"

enum { RAM = 1 << 20, GLA = 0x1000, DIV_AT = 1, LOAD_AT = 3, BEHIND_AT = 5, MANY = 64 };
enum { DIR = 0x2000, UNMAPPED = 0x00400000, BRIEF_MS = 30 };

static const uint8_t code[] = {0x40, 0xf7, 0xf1, /* inc eax; div ecx */
                               0x8b, 0x13,       /* mov edx, [ebx] */
                               0x43, 0xc3};      /* inc ebx; ret */
static uint32_t page;

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    page = bt_rig_code(GLA, code, sizeof code);
    return 0;
}

static struct block *translate(uint32_t at) {
    return bt_rig_translate(page, GLA + at, RIG_KEY);
}

static bool is_live(uint32_t at) {
    return block_find(vm.bt, page, GLA + at, GLA + at, RIG_KEY, UINT32_MAX) != NULL;
}

/* The host took an exception in b's instruction there, which is the guest's. */
static void take(const struct block *b, uint32_t eip, unsigned vector, gla_t address) {
    struct host_regs regs = {0};
    struct recovered at = {0};
    uint32_t offset = b->host;

    while (!recover_at(vm.bt, offset, &at) || at.eip != eip)
        assert_true(++offset < b->host + b->host_size);
    regs.rip = (uint64_t)(uintptr_t)(vm.bt->code.rx + offset);
    regs.gpr[RAX] = 7;
    assert_true(bt_host_fault(&vm.vcpu, &regs, vector, 0, vm.vcpu.window_base[0] + address));
    assert_true(vm.vcpu.exc.pending);
    assert_int_equal(vm.vcpu.exc.vector, vector);
    assert_int_equal(vm.vcpu.eip, eip);
    assert_int_equal(vm.vcpu.gpr[EAX], 7);
    assert_int_equal(vm.vcpu.exc.cr2, address);
    vm.vcpu.exc.pending = false;
}

/* Also in the block that begins at it, where the guest's handler returns to. */
static void what_faults_often_is_translated_anew_wherever_it_is(void **state) {
    (void)state;
    const struct block *before = translate(0);
    translate(DIV_AT);
    translate(BEHIND_AT);
    for (unsigned n = 1; n < MANY; n++) {
        take(before, GLA + DIV_AT, VEC_DE, 0);
        assert_true(is_live(0) && is_live(DIV_AT));
    }
    take(before, GLA + DIV_AT, VEC_DE, 0);
    assert_true(hint_get(vm.bt, HINT_DIVIDE(GLA + DIV_AT)));
    assert_false(is_live(0));
    assert_false(is_live(DIV_AT));
    assert_true(is_live(BEHIND_AT));
}

/* What has filled fresh memory goes on to work in it, and should do so at full speed. */
static void page_faults_are_foreseen_for_a_while(void **state) {
    (void)state;
    const struct block *b = translate(0);
    vm.vcpu.cr3 = DIR;
    vm.vcpu.cr0 |= CR0_PE | CR0_PG;
    for (unsigned n = 0; n < MANY; n++) {
        assert_false(hint_get(vm.bt, GLA + LOAD_AT));
        take(b, GLA + LOAD_AT, VEC_PF, UNMAPPED + n * PAGE_SIZE);
    }
    assert_true(hint_get(vm.bt, GLA + LOAD_AT));
    assert_false(is_live(0));
    vm.bt->kick_ns += BRIEF_MS * 1000000ull;
    hint_expire(vm.bt);
    assert_false(hint_get(vm.bt, GLA + LOAD_AT));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(page_faults_are_foreseen_for_a_while, translator),
        cmocka_unit_test_setup(what_faults_often_is_translated_anew_wherever_it_is, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
