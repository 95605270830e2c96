/* bt/jumpcache.c: what is found, and what no longer is. */
#include "tests/unit/bt_rig.h"

#include "bt/key.h"
#include "bt/regs.h"

enum { RAM = 2 << 20 };

static int translator(void **state) {
    (void)state;
    bt_rig(RAM);
    return 0;
}

static struct block block(uint32_t eip, uint32_t host, uint32_t key) {
    return (struct block){.eip = eip, .host = host, .key = key};
}

static uint64_t find(uint32_t eip) {
    return jumpcache_find(vm.bt, false, eip);
}

/* An empty entry must match no EIP with its index: not 0, nor the one before it. */
static void nothing_is_found_at_first(void **state) {
    static const uint32_t eips[] = {0, 1, 0xffff, 0x10000, 0x10001, 0xffff0000, 0xffffffff};

    (void)state;
    for (unsigned k = 0; k < sizeof eips / sizeof eips[0]; k++)
        assert_int_equal(find(eips[k]), 0);
    for (uint32_t index = 0; index < JUMP_CACHE_ENTRIES; index++)
        for (unsigned k = 0; k < sizeof eips / sizeof eips[0]; k++)
            if (eips[k] % JUMP_CACHE_ENTRIES == index)
                assert_int_not_equal(vm.bt->jump[0].cache->minus_eip[index] + eips[k], 0);
}

static void one_eip_of_an_index_is_found(void **state) {
    struct block a = block(0x12345678, 0x40, 0), b = block(0x9abc5678, 0x80, 0);

    (void)state;
    jumpcache_fill(vm.bt, &a);
    assert_int_equal(find(a.eip), block_address(vm.bt, &a));
    assert_int_equal(find(b.eip), 0);
    assert_int_equal(jumpcache_find(vm.bt, true, a.eip), 0);
    jumpcache_fill(vm.bt, &b);
    assert_int_equal(find(a.eip), 0);
    jumpcache_drop(vm.bt, &a); /* has no entry any more */
    assert_int_equal(find(b.eip), block_address(vm.bt, &b));
    jumpcache_drop(vm.bt, &b);
    assert_int_equal(find(b.eip), 0);
}

static uint64_t door(uint32_t eip) {
    return vm.bt->jump[1].cache->door[eip % JUMP_CACHE_ENTRIES];
}

static uint64_t at(uint32_t offset) {
    return (uint64_t)(uintptr_t)(vm.bt->code.rx + offset);
}

/* Where hot code goes without a look: nowhere else than to a check, or to a thunk. */
static void doors_lead_to_checks(void **state) {
    struct block plain = block(0x12345678, 0x4000, 3), checks = plain;

    (void)state;
    checks.has_check = true;
    assert_int_equal(door(plain.eip), at(vm.bt->thunk_jump_miss));
    jumpcache_fill(vm.bt, &plain);
    assert_int_equal(door(plain.eip), at(vm.bt->thunk_jump_check));
    jumpcache_fill(vm.bt, &checks);
    assert_int_equal(door(plain.eip), at(checks.host));
    assert_int_equal(jumpcache_find(vm.bt, true, plain.eip), at(checks.host + CHECK_BYTES));
    jumpcache_drop(vm.bt, &checks);
    assert_int_equal(door(plain.eip), at(vm.bt->thunk_jump_miss));
}

/* A jump to one block that came to the other's: no door for a while. */
static void a_door_that_was_wrong_closes(void **state) {
    struct block a = block(0x12345678, 0x4000, 3), b = block(0x9abc5678, 0x8000, 3);
    struct host_regs regs = {.gpr[R8] = b.eip};
    uint64_t edge = (uint64_t)(uintptr_t)vm.vcpu.edge;

    (void)state;
    a.has_check = b.has_check = true;
    jumpcache_fill(vm.bt, &a);
    assert_int_equal(door(b.eip), at(a.host));
    assert_false(entry_refused(vm.bt, &vm.vcpu, &regs, edge));
    assert_false(entry_refused(vm.bt, &vm.vcpu, &regs, edge + (1ull << 32)));
    assert_int_equal(regs.rip, 0);
    assert_true(entry_refused(vm.bt, &vm.vcpu, &regs, edge + (b.eip - a.eip)));
    assert_int_equal(regs.rip, at(vm.bt->thunk_jump_miss));
    jumpcache_fill(vm.bt, &b);
    assert_int_equal(door(b.eip), at(vm.bt->thunk_jump_check));
    assert_int_equal(jumpcache_find(vm.bt, true, b.eip), block_address(vm.bt, &b));
    vm.bt->kick_ns += 10000000000;
    jumpcache_fill(vm.bt, &a);
    assert_int_equal(door(b.eip), at(a.host));
}

static void flushes_take_what_they_should(void **state) {
    struct block own = block(0, 0x40, 0), global = block(0x1000, 0x80, KEY_GLOBAL);

    (void)state;
    jumpcache_fill(vm.bt, &own);
    jumpcache_fill(vm.bt, &global);
    jumpcache_flush(vm.bt, false);
    assert_int_equal(find(0), 0);
    assert_int_equal(find(0x1000), block_address(vm.bt, &global));
    jumpcache_flush(vm.bt, true);
    assert_int_equal(find(0x1000), 0);
    nothing_is_found_at_first(state);
}

/* The log of what is filled is bounded: when it is full, what it holds goes. */
static void filling_goes_on_for_ever(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 3 * JUMP_LOG; n++) {
        struct block b = block(n * 4, n + 1, 0);
        jumpcache_fill(vm.bt, &b);
        assert_int_equal(find(b.eip), block_address(vm.bt, &b));
    }
    jumpcache_flush(vm.bt, false);
    for (uint32_t n = 0; n < 3 * JUMP_LOG; n++)
        assert_int_equal(find(n * 4), 0);
}

/* A kernel that toggles CR0.TS has two keys; from the third time on it has a table for each. */
static void keys_that_take_turns_keep_their_entries(void **state) {
    struct block a = block(0x1000, 0x40, KEY_DIRECT),
                 b = block(0x1000, 0x80, KEY_DIRECT | KEY_FPU_NM);

    (void)state;
    jumpcache_use(vm.bt, a.key);
    jumpcache_fill(vm.bt, &a);
    jumpcache_use(vm.bt, b.key);
    assert_int_equal(find(a.eip), 0);
    assert_null(vm.bt->jump_spare.cache); /* it may be for good */
    jumpcache_fill(vm.bt, &b);
    jumpcache_use(vm.bt, a.key);
    assert_int_equal(find(a.eip), 0);
    jumpcache_fill(vm.bt, &a);
    for (unsigned k = 0; k < 4; k++) {
        const struct block *now = k % 2 ? &a : &b;
        assert_true(jumpcache_switch(vm.bt, now->key | KEY_GLOBAL));
        assert_int_equal(find(now->eip), block_address(vm.bt, now));
    }
    jumpcache_drop(vm.bt, &b); /* from the one that is not in use, too */
    assert_true(jumpcache_switch(vm.bt, b.key));
    assert_int_equal(find(b.eip), 0);
    jumpcache_fill(vm.bt, &b);
    jumpcache_use(vm.bt, a.key);
    jumpcache_flush(vm.bt, false);
    assert_int_equal(find(a.eip), 0);
    jumpcache_use(vm.bt, b.key);
    assert_int_equal(find(b.eip), 0);
}

static void a_third_key_takes_the_place_of_the_older(void **state) {
    struct block a = block(0x1000, 0x40, KEY_DIRECT),
                 b = block(0x1000, 0x80, KEY_DIRECT | KEY_FPU_NM);

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        jumpcache_use(vm.bt, k % 2 ? b.key : a.key);
        jumpcache_fill(vm.bt, k % 2 ? &b : &a);
    }
    assert_non_null(vm.bt->jump_spare.cache);
    assert_false(jumpcache_switch(vm.bt, KEY_REAL));
    assert_int_equal(find(b.eip), block_address(vm.bt, &b)); /* nothing has changed */
    jumpcache_use(vm.bt, KEY_REAL);
    assert_int_equal(find(b.eip), 0);
    assert_false(jumpcache_switch(vm.bt, a.key));
    assert_true(jumpcache_switch(vm.bt, b.key));
    assert_int_equal(find(b.eip), block_address(vm.bt, &b));
}

/* CPL 3's entries go with each change of CR3 anyway. */
static void user_code_has_one_table(void **state) {
    (void)state;
    for (unsigned k = 0; k < 8; k++)
        jumpcache_use(vm.bt, 3u | (k % 2 ? KEY_FPU_NM : 0));
    assert_null(vm.bt->jump_spare.cache);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_found_at_first, translator),
        cmocka_unit_test_setup(one_eip_of_an_index_is_found, translator),
        cmocka_unit_test_setup(doors_lead_to_checks, translator),
        cmocka_unit_test_setup(a_door_that_was_wrong_closes, translator),
        cmocka_unit_test_setup(flushes_take_what_they_should, translator),
        cmocka_unit_test_setup(filling_goes_on_for_ever, translator),
        cmocka_unit_test_setup(keys_that_take_turns_keep_their_entries, translator),
        cmocka_unit_test_setup(a_third_key_takes_the_place_of_the_older, translator),
        cmocka_unit_test_setup(user_code_has_one_table, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
