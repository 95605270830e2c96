/* bt/codepage.c: what v->code_tlb knows, and when it forgets. */
#include "tests/unit/bt_rig.h"

enum { RAM = 64 << 20 };

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    return 0;
}

static bool known(uint32_t page) {
    return codepage_cached(vm.bt, &vm.vcpu, page << PAGE_SHIFT, vcpu_user(&vm.vcpu));
}

static void look_up(uint32_t page) {
    uint32_t n = codepage_lookup(vm.bt, &vm.vcpu, page << PAGE_SHIFT);

    assert_int_not_equal(n, 0);
    assert_int_equal(codepage_cached(vm.bt, &vm.vcpu, page << PAGE_SHIFT, vcpu_user(&vm.vcpu)), n);
}

/* A program's code, tens of MiB of it, has a place for each page; what is farther apart shares one.
 */
static void pages_have_places(void **state) {
    (void)state;
    look_up(16);
    assert_false(known(17));
    look_up(16 + 4096);
    assert_true(known(16));
    look_up(16 + CODE_TLB_ENTRIES);
    assert_false(known(16));
    assert_true(known(16 + CODE_TLB_ENTRIES));
}

static void all_forgotten(uint32_t pages) {
    for (uint32_t page = 0; page < pages; page++)
        look_up(page);
    bt_map_changed(&vm.vcpu, false);
    for (uint32_t slot = 0; slot < CODE_TLB_ENTRIES; slot++)
        assert_int_equal(vm.vcpu.code_tlb[vcpu_user(&vm.vcpu)][slot], 0);
    assert_false(known(0));
}

/* With as many as the log holds, one more, and many; each twice, for what the first may have left.
 */
static void nothing_outlives_a_change_of_the_map(void **state) {
    static const uint32_t counts[] = {1, CODE_TLB_LOG, CODE_TLB_LOG + 1, 4 * CODE_TLB_LOG};

    (void)state;
    for (unsigned twice = 0; twice < 2; twice++)
        for (unsigned k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            vm.vcpu.cpl = 0;
            all_forgotten(counts[k]);
            vm.vcpu.cpl = 3;
            all_forgotten(counts[k]);
        }
}

static void a_page_is_forgotten_by_itself(void **state) {
    (void)state;
    look_up(5);
    look_up(6);
    bt_map_changed_page(&vm.vcpu, 5 << PAGE_SHIFT);
    assert_false(known(5));
    assert_true(known(6));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pages_have_places, translator),
        cmocka_unit_test_setup(nothing_outlives_a_change_of_the_map, translator),
        cmocka_unit_test_setup(a_page_is_forgotten_by_itself, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
