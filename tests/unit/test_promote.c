/* mmu/promote.c: which address spaces get a window for CPL 3, and which lose it. */
#include "tests/unit/mmu_rig.h"

#include "mmu/window.h"

#define DIR   0x1000u
#define TABLE 0x2000u
#define DIR2  0x3000u
#define USER  0x08000000u
#define RW    (PTE_P | PTE_RW)
#define PAGES 100u

enum { MS = 1000000, CALL_NS = 100000 };

static struct mmu *mmu(void) {
    return rig.vm.mmu;
}

/* Two address spaces with the same table for USER; code of CPL 3 with its stack there. */
static void start(void) {
    rig_start(4000);
    for (unsigned i = 0; i < PAGES; i++)
        rig_put32(TABLE + i * 4, (0x00400000 + i * PAGE_SIZE) | RW | PTE_US | PTE_A | PTE_D);
    rig_put32(DIR + (USER >> 22) * 4, TABLE | RW | PTE_US | PTE_A);
    rig_put32(DIR2 + (USER >> 22) * 4, TABLE | RW | PTE_US | PTE_A);
    rig_paging(RIG_32_PSE, DIR);
    mmu()->many_cr3 = true;
    mmu()->call_ns = CALL_NS;
    rig.v->cpl = 3;
    rig.v->gpr[ESP] = USER;
}

/* Ticks of running, 2 ms apart, until it has a window. */
static unsigned ticks_to_promote(void) {
    unsigned n = 1;
    for (; !mmu_view_tick(rig.v); n++) {
        assert_in_range(n, 0, 1000);
        host_stub.clock_ns += 2 * MS;
    }
    assert_true(mmu_view_direct(rig.v, true));
    mmu_enter_user(rig.v);
    assert_true(mmu_view_direct(rig.v, true));
    return n;
}

/* A page is mapped by a fault and dropped, n times. The stub's calls take no time, which would make
 * them cheap before long. */
static void fill(unsigned n) {
    for (unsigned i = 0; i < n && mmu_view_direct(rig.v, true); i++) {
        gpa_t gpa;
        mmu()->call_ns = CALL_NS;
        assert_int_equal(mmu_window_fault(rig.v, USER, true, &gpa), MMU_FAULT_RETRY);
        window_drop(mmu(), mmu()->current, USER >> PAGE_SHIFT, 1);
        mmu_enter_user(rig.v);
    }
}

static void young_address_spaces_get_no_window(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 500; i++) { /* each one a new process: its tables are new */
        rig_put32(DIR + (USER >> 22) * 4, (0x00400000 + i % 100 * PAGE_SIZE) | RW | PTE_US);
        rig_load_cr3(DIR);
        host_stub.clock_ns += 2000000;
        assert_false(mmu_view_tick(rig.v));
    }
}

static void ticks_in_a_burst_count_once(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 100; i++) {
        assert_false(mmu_view_tick(rig.v));
    }
    host_stub.clock_ns += 2000000;
    assert_true(mmu_view_tick(rig.v));
}

/* Who can get no window need not be looked at all the time. */
static void hopeless_address_spaces_are_left_alone(void **state) {
    (void)state;
    start();
    assert_true(mmu_view_may_grow(rig.v));
    rig.vm.form = VM_FORM_CHECKED;
    assert_false(mmu_view_may_grow(rig.v));
    rig.vm.form = VM_FORM_AUTO;
    host_stub.no_windows = true;
    assert_false(mmu_view_tick(rig.v));
    assert_true(mmu_view_may_grow(rig.v)); /* not tried yet */
    host_stub.clock_ns += 2000000;
    assert_false(mmu_view_tick(rig.v));
    assert_false(mmu_view_may_grow(rig.v));
}

/* Fault, map and unmap, at 4 * CALL_NS each: some nine rounds use up what a new one has. */
static void a_window_that_costs_too_much_is_lost(void **state) {
    (void)state;
    start();
    assert_int_equal(ticks_to_promote(), 2);
    fill(4);
    assert_true(mmu_view_direct(rig.v, true));
    fill(10);
    assert_false(mmu_view_direct(rig.v, true));
    assert_int_equal(mmu_stats(&rig.vm)->views_demoted, 1);
}

/* Maps all of PAGES, at a price that two fills could not pay. */
static void fill_all(void) {
    for (unsigned i = 0; i < PAGES && mmu_view_direct(rig.v, true); i++) {
        gpa_t gpa;
        if (shadow_entry(&mmu()->shadow, mmu()->current, (USER >> PAGE_SHIFT) + i))
            continue; /* it came along with another */
        mmu()->call_ns = 10 * CALL_NS;
        assert_int_equal(mmu_window_fault(rig.v, USER + i * PAGE_SIZE, true, &gpa),
                         MMU_FAULT_RETRY);
        mmu_enter_user(rig.v);
    }
}

/* Many pages are no loss the first time, but when they are mapped once more. */
static void growing_costs_nothing(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < PAGES; i++) /* no two frames in a row */
        rig_put32(TABLE + i * 4,
                  (0x00400000 + i * 7 % PAGES * PAGE_SIZE) | RW | PTE_US | PTE_A | PTE_D);
    ticks_to_promote();
    fill_all();
    assert_true(mmu_view_direct(rig.v, true));
    assert_in_range(mmu()->current->mapped, PAGES, 2 * PAGES);
    window_drop_all(mmu(), mmu()->current);
    fill_all();
    assert_false(mmu_view_direct(rig.v, true));
    /* a new window grows anew */
    ticks_to_promote();
    fill_all();
    assert_true(mmu_view_direct(rig.v, true));
}

static void the_next_takes_twice_as_long(void **state) {
    (void)state;
    start();
    for (unsigned ticks = 2; ticks <= 128; ticks *= 2) {
        assert_int_equal(ticks_to_promote(), ticks);
        fill(20);
        assert_false(mmu_view_direct(rig.v, true));
    }
    assert_int_equal(ticks_to_promote(), 128); /* and no longer */
}

static void running_earns(void **state) {
    (void)state;
    start();
    ticks_to_promote();
    for (unsigned i = 0; i < 100; i++) {
        host_stub.clock_ns += 10 * MS;
        assert_false(mmu_view_tick(rig.v));
        fill(4);
        assert_true(mmu_view_direct(rig.v, true));
    }
    /* time that passes in the kernel does not */
    rig.v->cpl = 0;
    host_stub.clock_ns += 1000ull * MS;
    assert_false(mmu_view_tick(rig.v));
    rig.v->cpl = 3;
    assert_false(mmu_view_tick(rig.v));
    fill(200);
    assert_false(mmu_view_direct(rig.v, true));
}

static void what_has_proved_itself_begins_anew(void **state) {
    (void)state;
    start();
    ticks_to_promote();
    fill(20);
    assert_int_equal(ticks_to_promote(), 4);
    for (unsigned i = 0; i < 20; i++) {
        host_stub.clock_ns += 10 * MS;
        mmu_view_tick(rig.v);
    }
    fill(200);
    assert_false(mmu_view_direct(rig.v, true));
    assert_int_equal(ticks_to_promote(), 4); /* the second time, not the third */
}

static void others_that_run_for_long_do_not_make_it_forgotten(void **state) {
    (void)state;
    start();
    ticks_to_promote();
    fill(20);
    rig_load_cr3(DIR2);
    ticks_to_promote();
    for (unsigned i = 0; i < 200; i++) {
        host_stub.clock_ns += 10 * MS;
        mmu_view_tick(rig.v);
    }
    rig_load_cr3(DIR);
    assert_int_equal(ticks_to_promote(), 4);
}

static void a_successor_at_the_same_cr3_is_another(void **state) {
    (void)state;
    start();
    ticks_to_promote();
    fill(20);
    rig_put32(DIR + (USER >> 22) * 4, 0x00500000 | RW | PTE_US | PTE_A);
    rig_load_cr3(DIR);
    assert_int_equal(ticks_to_promote(), 2);
}

/* Two that take turns: one of them gives way. */
static void turns(unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        rig_load_cr3(i % 2 ? DIR : DIR2);
        mmu_enter_user(rig.v);
        mmu()->call_ns = CALL_NS;
    }
}

static void windows_that_take_turns(void **state) {
    (void)state;
    start();
    ticks_to_promote();
    rig_load_cr3(DIR2);
    ticks_to_promote();
    turns(1000);
    assert_int_equal(mmu_stats(&rig.vm)->views_demoted, 0);
    host_stub.dear_windows = true;
    turns(1000);
    assert_int_equal(mmu_stats(&rig.vm)->views_demoted, 1);
}

static void giving_up(void **state) {
    (void)state;
    start();
    ticks_to_promote();
    rig.v->cpl = 0; /* not the kernel's */
    mmu_view_give_up(rig.v);
    rig.v->cpl = 3;
    mmu_enter_user(rig.v);
    assert_true(mmu_view_direct(rig.v, true));
    mmu_view_give_up(rig.v);
    assert_true(mmu_view_direct(rig.v, true)); /* the code that runs needs it */
    host_stub.clock_ns += 10 * MS;
    assert_false(mmu_view_tick(rig.v)); /* which does not save it */
    mmu_enter_user(rig.v);
    assert_false(mmu_view_direct(rig.v, true));
    mmu_view_give_up(rig.v);
    mmu_enter_user(rig.v);
    assert_int_equal(mmu_stats(&rig.vm)->views_demoted, 1);
}

static void a_form_that_is_asked_for_stays(void **state) {
    (void)state;
    start();
    rig.vm.form = VM_FORM_DIRECT;
    mmu_enter_user(rig.v);
    assert_true(mmu_view_direct(rig.v, true));
    fill(100);
    assert_true(mmu_view_direct(rig.v, true));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(young_address_spaces_get_no_window),
        cmocka_unit_test(ticks_in_a_burst_count_once),
        cmocka_unit_test(hopeless_address_spaces_are_left_alone),
        cmocka_unit_test(a_window_that_costs_too_much_is_lost),
        cmocka_unit_test(growing_costs_nothing),
        cmocka_unit_test(the_next_takes_twice_as_long),
        cmocka_unit_test(running_earns),
        cmocka_unit_test(what_has_proved_itself_begins_anew),
        cmocka_unit_test(others_that_run_for_long_do_not_make_it_forgotten),
        cmocka_unit_test(a_successor_at_the_same_cr3_is_another),
        cmocka_unit_test(windows_that_take_turns),
        cmocka_unit_test(giving_up),
        cmocka_unit_test(a_form_that_is_asked_for_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
