/* bt/block.c: what a guest can do to the look-up of blocks. */
#include "tests/unit/unit.h"

#include "bt/bt_priv.h"
#include "mmu/mmu.h"

enum { RAM = 1 << 20, CACHE = 16 << 20, GLA = 0x1000, KEY = 0 };

static struct vm vm;
static uint32_t page;

static int translator(void **state) {
    (void)state;
    host_stub_reset();
    memset(&vm, 0, sizeof vm);
    vm.vcpu.vm = &vm;
    assert_true(memmap_create(&vm.mem, &vm, RAM));
    assert_non_null(mmu_create(&vm));
    assert_true(bt_create(&vm, CACHE));
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
                        .host_size = 16,
                        .side_count = 1,
                        .length = 1};
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

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(aliases_are_bounded, translator),
        cmocka_unit_test_setup(few_aliases_stay, translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
