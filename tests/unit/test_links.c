/* bt/links.c: which chains between pages go past their check, and which come back to it. */
#include "tests/unit/bt_rig.h"

enum { RAM = 2 << 20, EXITS = 2 };
enum { PATCH = 1, BRANCH = 8, DOOR = 12, CHECK = 20 }; /* in a block's host code */

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    return 0;
}

static uint32_t page(unsigned n) {
    uint32_t found = codepage_lookup(vm.bt, &vm.vcpu, n * PAGE_SIZE);

    assert_int_not_equal(found, 0);
    return found;
}

/* A block on page n with exits into other pages. */
static struct block *block(unsigned n) {
    struct block *b = tcache_reserve(vm.bt);

    *b = (struct block){.eip = n * PAGE_SIZE,
                        .gla = n * PAGE_SIZE,
                        .cs_limit = UINT32_MAX,
                        .page = page(n),
                        .host = vm.bt->head,
                        .table = vm.bt->table_head,
                        .stubs = vm.bt->stub_head,
                        .host_size = 32,
                        .side_count = 1,
                        .exit_count = EXITS,
                        .length = 1};
    for (unsigned k = 0; k < EXITS; k++)
        block_exits(vm.bt, b)[k] =
            (struct block_exit){.patch = PATCH, .check = CHECK, .branch = BRANCH, .door = DOOR};
    tcache_commit(vm.bt, b);
    block_insert(vm.bt, b);
    return b;
}

/* Chains exit n of `from` past its check, as the run loop does. */
static bool link_to(struct block *from, unsigned n, struct block *to) {
    block_chain(vm.bt, from, n, to);
    if (!links_join(vm.bt, from->page, to->page))
        return false;
    block_skip_check(vm.bt, from, n);
    return true;
}

/* TC offset that the block's own branch leads to. */
static uint32_t branch_of(const struct block *b) {
    int32_t rel;

    memcpy(&rel, bt_rw(vm.bt, b->host + BRANCH), sizeof rel);
    return b->host + BRANCH + 4 + (uint32_t)rel;
}

/* Page n's frame is another one in the present map. */
static void move(unsigned n) {
    vm.bt->pages[page(n)].ppage ^= 0x80;
    links_map_changed(vm.bt);
}

static void past_the_check_and_back(void **state) {
    struct block *a = block(1), *b = block(2);

    (void)state;
    assert_true(link_to(a, 0, b));
    assert_int_equal(branch_of(a), b->host);
    block_kill(vm.bt, b);
    assert_int_equal(branch_of(a), a->host + DOOR);
}

static void pages_that_stay_stay_linked(void **state) {
    struct block *a = block(1), *b = block(2);

    (void)state;
    assert_true(link_to(a, 0, b));
    links_map_changed(vm.bt);
    links_enter(vm.bt, &vm.vcpu, a->page);
    assert_int_equal(branch_of(a), b->host);
}

/* Chains to and from a page that has moved are checked, whichever page of the group is entered. */
static void a_page_that_moved_is_checked(void **state) {
    struct block *a = block(1), *b = block(2), *c = block(3), *d = block(4);
    uint32_t moved = b->page;

    (void)state;
    assert_true(link_to(a, 0, b));
    assert_true(link_to(b, 0, a));
    assert_true(link_to(c, 0, d));
    assert_true(link_to(d, 0, a)); /* the two groups become one */
    move(2);
    links_enter(vm.bt, &vm.vcpu, c->page);
    assert_int_equal(vm.bt->pages[moved].group, 0);
    assert_int_equal(branch_of(a), a->host + DOOR);
    assert_int_equal(branch_of(b), b->host + DOOR);
    assert_int_equal(branch_of(c), d->host);
    assert_int_equal(branch_of(d), a->host);
}

/* For the call of a function that returns its return address (bt/pc_thunk.c) stands an instruction,
 * as long as that is the function called. */
static void a_pc_thunk_is_not_called(void **state) {
    enum { INLINE_AT = BRANCH - 1, LATE_DOOR = 20 };
    static const uint8_t to_ebx[] = {0x8b, 0x1c, 0x24, 0xc3}, to_ecx[] = {0x8b, 0x0c, 0x24, 0xc3};
    static const uint8_t mov_ebx[] = {0xbb, 0x05, 0x10, 0x00, 0x00}; /* mov ebx, 1005h */
    struct block *a = block(1), *b = block(2);
    uint8_t *code = bt_rw(vm.bt, a->host);
    struct block_exit *x = block_exits(vm.bt, a);

    (void)state;
    b->length = sizeof to_ebx;
    x->pc_thunk = true;
    x->door = LATE_DOOR;
    code[INLINE_AT] = 0xe9;
    memcpy(code + LATE_DOOR - sizeof mov_ebx, mov_ebx, sizeof mov_ebx);
    memcpy(vm.mem.ram + 2 * PAGE_SIZE, to_ebx, sizeof to_ebx);
    assert_true(link_to(a, 0, b));
    assert_memory_equal(code + INLINE_AT, mov_ebx, sizeof mov_ebx);
    block_kill(vm.bt, b);
    assert_int_equal(code[INLINE_AT], 0xe9);
    assert_int_equal(branch_of(a), a->host + LATE_DOOR);

    memcpy(vm.mem.ram + 2 * PAGE_SIZE, to_ecx, sizeof to_ecx);
    b = block(2);
    b->length = sizeof to_ecx;
    assert_true(link_to(a, 0, b));
    assert_int_equal(code[INLINE_AT], 0xe9);
    assert_int_equal(branch_of(a), a->host + LATE_DOOR);
}

/* Another group's pages are not looked at: they may belong to another address space. */
static void other_groups_are_left_alone(void **state) {
    struct block *a = block(1), *b = block(2), *c = block(3), *d = block(4);

    (void)state;
    assert_true(link_to(a, 0, b));
    assert_true(link_to(c, 0, d));
    move(2);
    links_enter(vm.bt, &vm.vcpu, c->page);
    assert_int_equal(branch_of(a), b->host);
    links_enter(vm.bt, &vm.vcpu, a->page);
    assert_int_equal(branch_of(a), a->host + DOOR);
}

static void who_leaves_often_stays_out(void **state) {
    struct block *a = block(1), *b = block(2);
    unsigned joined = 0;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        joined += link_to(a, 0, b);
        vm.bt->pages[b->page].ppage ^= 0x80;
        links_map_changed(vm.bt);
        links_enter(vm.bt, &vm.vcpu, a->page);
        vm.bt->pages[b->page].ppage ^= 0x80;
        assert_int_equal(branch_of(a), a->host + DOOR);
    }
    assert_in_range(joined, 2, 8);
}

/* There is room for so many pages; those without translations give theirs up. */
static void room_is_bounded(void **state) {
    struct block *first = block(0);
    struct block *all[LINKED_PAGES];

    (void)state;
    for (unsigned n = 1; n < LINKED_PAGES; n++) {
        all[n] = block(n);
        assert_true(link_to(all[n], 0, first));
    }
    assert_false(link_to(block(LINKED_PAGES), 0, first));
    block_kill(vm.bt, all[7]);
    assert_true(link_to(block(LINKED_PAGES + 1), 0, first));
    assert_false(link_to(block(LINKED_PAGES + 2), 0, first));
}

static void groups_are_bounded(void **state) {
    (void)state;
    for (unsigned n = 1; n < LINK_GROUPS; n++)
        assert_true(link_to(block(2 * n), 0, block(2 * n + 1)));
    assert_false(link_to(block(300), 0, block(301)));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(past_the_check_and_back, translator),
        cmocka_unit_test_setup(pages_that_stay_stay_linked, translator),
        cmocka_unit_test_setup(a_page_that_moved_is_checked, translator),
        cmocka_unit_test_setup(a_pc_thunk_is_not_called, translator),
        cmocka_unit_test_setup(other_groups_are_left_alone, translator),
        cmocka_unit_test_setup(who_leaves_often_stays_out, translator),
        cmocka_unit_test_setup(room_is_bounded, translator),
        cmocka_unit_test_setup(groups_are_bounded, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
