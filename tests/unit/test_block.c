/* bt/block.c: what a guest can do to the look-up of blocks, and the branches between them; and
 * bt/codepage.c: which frames hold code. */
#include "tests/unit/bt_rig.h"

enum { RAM = 1 << 20, GLA = 0x1000, KEY = 0 };
enum { PATCH = 1, CHECK = 20 }; /* in a block's host code */

static uint32_t page;

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    page = codepage_lookup(vm.bt, &vm.vcpu, GLA);
    assert_int_not_equal(page, 0);
    return 0;
}

/* A block at GLA for a code segment with this base and limit. */
static struct block *insert(uint32_t base, uint32_t cs_limit) {
    struct block *b = tcache_reserve(vm.bt);

    *b = (struct block){.eip = GLA - base,
                        .gla = GLA,
                        .key = KEY,
                        .cs_limit = cs_limit,
                        .page = page,
                        .host = vm.bt->head,
                        .table = vm.bt->table_head,
                        .stubs = vm.bt->stub_head,
                        .host_size = 32,
                        .side_count = 1,
                        .exit_count = 1,
                        .length = 1};
    block_exits(vm.bt, b)[0] = (struct block_exit){.patch = PATCH, .check = CHECK};
    tcache_commit(vm.bt, b);
    block_insert(vm.bt, b);
    return b;
}

static const struct block *find(uint32_t base, uint32_t cs_limit) {
    return block_find(vm.bt, page, GLA, GLA - base, KEY, cs_limit);
}

/* The guest is free to run the same bytes with any base and limit of CS. */
static void aliases_are_bounded(void **state) {
    enum { ALIASES = 50000 };
    unsigned alive = 0;

    (void)state;
    for (uint32_t n = 0; n < ALIASES; n++) {
        const struct block *b = insert(n << 4, n % 2 ? 0xffff : UINT32_MAX);
        assert_ptr_equal(find(n << 4, n % 2 ? 0xffff : UINT32_MAX), b);
    }
    for (uint32_t n = 0; n < ALIASES; n++)
        alive += find(n << 4, n % 2 ? 0xffff : UINT32_MAX) != NULL;
    assert_in_range(alive, 16, 256);
    assert_null(find(0, UINT32_MAX)); /* the oldest went */
}

/* Two of them take turns without being translated again. */
static void few_aliases_stay(void **state) {
    const struct block *first = insert(0, UINT32_MAX), *second = insert(0x1000, UINT32_MAX);

    (void)state;
    assert_ptr_equal(find(0, UINT32_MAX), first);
    assert_ptr_equal(find(0x1000, UINT32_MAX), second);
    assert_null(find(0x1000, 0xffff));
}

/* Where the branch of b goes: an offset in code memory. */
static uint32_t goes_to(const struct block *b) {
    int32_t displacement;

    memcpy(&displacement, bt_rw(vm.bt, b->host + PATCH), sizeof displacement);
    return b->host + PATCH + 4 + (uint32_t)displacement;
}

/* Blocks on the page's list, which leads both ways. */
static unsigned on_page(void) {
    const struct code_page *p = &vm.bt->pages[page];
    uint32_t last = 0;
    unsigned n = 0;

    for (uint32_t k = p->blocks; k; k = vm.bt->blocks[k].next_in_page, n++) {
        assert_int_equal(vm.bt->blocks[k].prev_in_page, last);
        last = k;
    }
    assert_int_equal(p->youngest, last);
    return n;
}

static uint32_t checks(const struct block *b) {
    uint32_t minus_id;

    memcpy(&minus_id, bt_rw(vm.bt, b->host + CHECK), sizeof minus_id);
    return 0u - minus_id;
}

/* Every order in which four blocks that branch to a fifth one, and that one, can die. */
static void chains_end_with_either_end(void **state) {
    enum { FROM = 4, ALL = FROM + 1, ORDERS = 120 };

    (void)state;
    for (unsigned order = 0; order < ORDERS; order++) {
        struct block *b[ALL];
        unsigned left = order, alive[ALL], n = ALL;
        bool target_alive = true;

        for (unsigned k = 0; k < ALL; k++) {
            b[k] = insert(k << 12, UINT32_MAX);
            alive[k] = k;
        }
        for (unsigned k = 0; k < FROM; k++) {
            block_chain(vm.bt, b[k], 0, b[FROM]);
            assert_int_equal(goes_to(b[k]), b[FROM]->host);
            assert_int_equal(checks(b[k]), vm.bt->pages[page].id);
        }
        while (n > 0) {
            unsigned at = left % n;

            left /= n;
            block_kill(vm.bt, b[alive[at]]);
            target_alive &= alive[at] != FROM;
            memmove(&alive[at], &alive[at + 1], (n - at - 1) * sizeof *alive);
            n--;
            assert_int_equal(on_page(), n);
            for (unsigned k = 0; k < n && alive[k] != FROM; k++) {
                const struct block *from = b[alive[k]];
                assert_int_equal(goes_to(from), target_alive ? b[FROM]->host : block_stub(from, 0));
                assert_int_equal(checks(from), target_alive ? vm.bt->pages[page].id : 1);
            }
        }
        assert_int_equal(vm.bt->blocks[block_number(vm.bt, b[FROM])].incoming, 0);
    }
}

/* A loop: the block's own branch leads to itself. */
static void chain_to_itself(void **state) {
    struct block *b = insert(0, UINT32_MAX);

    (void)state;
    block_chain(vm.bt, b, 0, b);
    assert_int_equal(goes_to(b), b->host);
    block_kill(vm.bt, b);
    assert_null(find(0, UINT32_MAX));
    assert_int_equal(b->incoming, 0);
}

static bool has_code(gpa_t gpa) {
    return vm.mem.frame_flags[gpa >> PAGE_SHIFT] & FRAME_CODE;
}

/* A frame with two code pages, and a block that ends on the next frame. */
static void frames_hold_code_while_blocks_live(void **state) {
    struct block *b[3];

    (void)state;
    assert_false(has_code(GLA));
    b[0] = insert(0, UINT32_MAX);
    vm.vcpu.cpl = 3;
    page = codepage_lookup(vm.bt, &vm.vcpu, GLA);
    assert_int_not_equal(page, b[0]->page);
    b[1] = insert(0, UINT32_MAX);
    b[2] = tcache_reserve(vm.bt);
    *b[2] = *b[1];
    b[2]->page2 = codepage_lookup(vm.bt, &vm.vcpu, GLA + PAGE_SIZE);
    b[2]->eip++;
    tcache_commit(vm.bt, b[2]);
    block_insert(vm.bt, b[2]);
    assert_true(has_code(GLA) && has_code(GLA + PAGE_SIZE));
    block_kill(vm.bt, b[1]);
    assert_true(has_code(GLA));
    block_kill(vm.bt, b[2]);
    assert_true(has_code(GLA));
    assert_false(has_code(GLA + PAGE_SIZE));
    block_kill(vm.bt, b[0]);
    assert_false(has_code(GLA));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(aliases_are_bounded, translator),
        cmocka_unit_test_setup(few_aliases_stay, translator),
        cmocka_unit_test_setup(chains_end_with_either_end, translator),
        cmocka_unit_test_setup(chain_to_itself, translator),
        cmocka_unit_test_setup(frames_hold_code_while_blocks_live, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
