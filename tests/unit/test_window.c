/*
 * Windows: what is mapped along, how many host calls things cost, and that no guest gets
 * past the budget of mappings (mmu/fill.c, window.c, mmu.c).
 */
#include "tests/unit/mmu_rig.h"

#include "mmu/window.h"

#define DIR     0x1000u
#define TABLE   0x2000u
#define USER    0x08000000u
#define KERNEL  0xc0000000u
#define RW      (PTE_P | PTE_RW)
#define TOUCHED (PTE_P | PTE_RW | PTE_A | PTE_D)

static struct mmu *mmu(void) {
    return rig.vm.mmu;
}

static enum mmu_fault fault(gla_t gla, bool write) {
    gpa_t gpa;
    return mmu_window_fault(rig.v, gla, write, &gpa);
}

static uint32_t shown(const struct window *w, gla_t gla) {
    return host_stub_window_page(w->host, gla >> PAGE_SHIFT);
}

static uint32_t kernel_shows(gla_t gla) {
    return shown(&mmu()->kernel, gla);
}

static void touch(gla_t gla, bool write) {
    assert_int_equal(fault(gla, write), MMU_FAULT_RETRY);
}

/* One address space: TABLE serves USER and KERNEL. */
static void start(void) {
    rig_start(4000);
    rig_put32(DIR + (USER >> 22) * 4, TABLE | RW | PTE_US | PTE_A);
    rig_put32(DIR + (KERNEL >> 22) * 4, TABLE | RW);
    rig_paging(RIG_32_PSE, DIR);
    mmu()->many_cr3 = true;
}

static void put_page(unsigned i, uint32_t e) {
    rig_put32(TABLE + i * 4, e);
}

static void promote(void) {
    rig.v->cpl = 3;
    rig.v->gpr[ESP] = USER;
    for (unsigned i = 0; !mmu_view_tick(rig.v); i++) {
        assert_in_range(i, 0, 10);
        host_stub.clock_ns += 2000000;
    }
    assert_true(mmu_view_direct(rig.v, true));
}

static void table_outside_memory(void **state) {
    (void)state;
    rig_start(4000);
    assert_true(memmap_create_4g(&rig.vm.mem, &rig.vm, RIG_RAM));
    memmap_set_kind(&rig.vm.mem, 0xfffff000, PAGE_SIZE, MEM_ROM); /* where all ones point */
    rig_put32(DIR + (KERNEL >> 22) * 4, 0xf0000000 | RW | PTE_A);
    rig_paging(RIG_32_PSE, DIR);
    assert_int_equal(fault(KERNEL, false), MMU_FAULT_CHECKED);
    mmu_prefill(rig.v, KERNEL);
    assert_int_equal(kernel_shows(KERNEL), 0);
}

/* -- filling -- */

static void without_paging_ram_comes_in_large_runs(void **state) {
    (void)state;
    rig_start(4000);
    touch(0x00500123, true);
    assert_int_equal(host_stub.window_calls, 1);
    assert_int_equal(kernel_shows(0x007ff000), 0x007ff003);
    touch(0x00001000, true);
    assert_int_equal(kernel_shows(0x0009f000), 0x0009f003);
    assert_int_equal(kernel_shows(0x000a0000), 0);
    assert_int_equal(fault(0x000a0000, true), MMU_FAULT_CHECKED);
    assert_int_equal(fault(RIG_RAM, false), MMU_FAULT_CHECKED);
    rig.v->cpl = 3;
    assert_true(mmu_view_direct(rig.v, true));
}

static void large_page_is_one_mapping(void **state) {
    (void)state;
    start();
    rig_put32(DIR + (KERNEL >> 22) * 4, 0x00400000 | RW | PTE_PS | PTE_G);
    touch(KERNEL + 0x5000, true);
    assert_int_equal(host_stub.window_calls, 1);
    assert_int_equal(kernel_shows(KERNEL + 0x3ff000), 0x007ff003);
    assert_int_equal(rig_get32(DIR + (KERNEL >> 22) * 4) & (PTE_A | PTE_D), PTE_A | PTE_D);
    mmu_protect_code(&rig.vm, 0x00410000, ELSEWHERE);
    assert_int_equal(kernel_shows(KERNEL + 0x10000), 0x00410001);
    assert_int_equal(kernel_shows(KERNEL + 0x11000), 0x00411003);
    assert_int_equal(fault(KERNEL + 0x10000, true), MMU_FAULT_CODE_WRITE);
    bt_code_written(&rig.vm, 0x00410000, 4);
    touch(KERNEL + 0x10000, true);
    assert_int_equal(kernel_shows(KERNEL + 0x10000), 0x00410003);
}

/* Kernel text in a large page is protected 64 pages at a time, code that runs elsewhere not.
 */
static void kernel_text_is_protected_in_groups(void **state) {
    (void)state;
    start();
    rig_put32(DIR + (KERNEL >> 22) * 4, 0x00400000 | RW | PTE_PS | PTE_G);
    touch(KERNEL, true);
    mmu_protect_code(&rig.vm, 0x00457000, KERNEL + 0x57000);
    assert_int_equal(kernel_shows(KERNEL + 0x3f000), 0x0043f003);
    assert_int_equal(kernel_shows(KERNEL + 0x40000), 0x00440001);
    assert_int_equal(kernel_shows(KERNEL + 0x7f000), 0x0047f001);
    assert_int_equal(kernel_shows(KERNEL + 0x80000), 0x00480003);
    unsigned calls = host_stub.window_calls;
    mmu_protect_code(&rig.vm, 0x00458000, KERNEL + 0x58000);
    assert_int_equal(host_stub.window_calls, calls);
    mmu_protect_code(&rig.vm, 0x00481000, ELSEWHERE);
    assert_int_equal(kernel_shows(KERNEL + 0x80000), 0x00480003);
    assert_int_equal(kernel_shows(KERNEL + 0x81000), 0x00481001);
    /* a write to a neighbour makes writable what holds no code */
    touch(KERNEL + 0x41000, true);
    assert_int_equal(kernel_shows(KERNEL + 0x41000), 0x00441003);
    assert_int_equal(kernel_shows(KERNEL + 0x57000), 0x00457001);
    assert_int_equal(kernel_shows(KERNEL + 0x58000), 0x00458001);
    assert_int_equal(fault(KERNEL + 0x58000, true), MMU_FAULT_CODE_WRITE);
}

static void clean_large_page_is_read_only(void **state) {
    (void)state;
    start();
    rig_put32(DIR + (KERNEL >> 22) * 4, 0x00400000 | RW | PTE_PS | PTE_G);
    touch(KERNEL, false);
    assert_int_equal(kernel_shows(KERNEL + 0x1000), 0x00401001);
    touch(KERNEL, true);
    assert_int_equal(kernel_shows(KERNEL + 0x1000), 0x00401003);
    assert_int_equal(host_stub.window_calls, 2);
}

static void neighbours_in_use_come_along(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 1024; i++) {
        put_page(i, (0x00400000 + i * PAGE_SIZE) | TOUCHED);
    }
    put_page(700, 0x00800000 | TOUCHED);
    touch(KERNEL + 20 * PAGE_SIZE, false);
    assert_int_equal(host_stub.window_calls, 1); /* one run, as far as it goes */
    assert_int_equal(kernel_shows(KERNEL), 0x00400003);
    assert_int_equal(kernel_shows(KERNEL + 699 * PAGE_SIZE), 0x006bb003);
    assert_int_equal(kernel_shows(KERNEL + 700 * PAGE_SIZE), 0);
}

static void neighbours_keep_a_and_d_exact(void **state) {
    (void)state;
    start();
    put_page(0, 0x00400000 | RW);
    put_page(1, 0x00500000 | RW | PTE_A);
    put_page(2, 0x00600000 | RW);
    put_page(3, 0x00700000 | PTE_P | PTE_A | PTE_D);
    touch(KERNEL, false);
    assert_int_equal(kernel_shows(KERNEL), 0x00400001);
    assert_int_equal(kernel_shows(KERNEL + 0x1000), 0x00500001);
    assert_int_equal(kernel_shows(KERNEL + 0x2000), 0);
    assert_int_equal(kernel_shows(KERNEL + 0x3000), 0x00700001);
    assert_int_equal(rig_get32(TABLE + 8), 0x00600000 | RW);
    touch(KERNEL + 0x1000, true);
    assert_int_equal(rig_get32(TABLE + 4) & PTE_D, PTE_D);
    assert_int_equal(kernel_shows(KERNEL + 0x1000), 0x00500003);
}

static void user_pages_stay_out_of_the_kernel_window(void **state) {
    (void)state;
    start();
    put_page(0, 0x00400000 | TOUCHED | PTE_US);
    assert_int_equal(fault(USER, false), MMU_FAULT_CHECKED);
    mmu()->many_cr3 = false;
    touch(USER, false);
    rig_put32(0x5000 + (KERNEL >> 22) * 4, TABLE | RW);
    rig_load_cr3(0x5000); /* the second address space */
    rig_load_cr3(DIR);
    assert_int_equal(kernel_shows(USER), 0);
    assert_int_equal(fault(USER, false), MMU_FAULT_CHECKED);
}

static void fault_of_the_guest(void **state) {
    (void)state;
    start();
    put_page(0, 0x00400000 | PTE_P);
    assert_int_equal(fault(KERNEL + 0x123, true), MMU_FAULT_GUEST);
    assert_int_equal(rig.v->exc.error, PFERR_P | PFERR_W);
    assert_int_equal(rig.v->exc.cr2, KERNEL + 0x123);
    assert_int_equal(rig_get32(TABLE), 0x00400000 | PTE_P);
    assert_int_equal(fault(KERNEL + 0x1000, false), MMU_FAULT_GUEST);
    assert_int_equal(rig.v->exc.error, 0);
}

static void prefill_maps_what_was_accessed(void **state) {
    (void)state;
    start();
    promote();
    put_page(0, 0x00400000 | TOUCHED | PTE_US);
    put_page(1, 0x00500000 | RW | PTE_US);
    mmu_prefill(rig.v, USER + 0x10);
    assert_int_equal(shown(mmu()->current, USER), 0x00400003);
    mmu_prefill(rig.v, USER + 0x1000);
    mmu_prefill(rig.v, USER + 0x2000);
    assert_int_equal(shown(mmu()->current, USER + 0x1000), 0);
    assert_int_equal(rig_get32(TABLE + 4), 0x00500000 | RW | PTE_US);
    assert_false(rig.v->exc.pending);
}

/* Maps the page and takes it away again, as kmap does, so often that it is not worth it. */
static void churn(gla_t gla, unsigned i) {
    for (unsigned k = 0; k < 8; k++) {
        put_page(i, (0x00400000 + k * PAGE_SIZE) | TOUCHED | PTE_US);
        touch(gla, true);
        put_page(i, 0);
        mmu_invlpg(rig.v, gla);
    }
    put_page(i, 0x00400000 | TOUCHED | PTE_US);
}

static void pages_invalidated_all_the_time_are_not_mapped(void **state) {
    (void)state;
    start();
    rig_put32(TABLE + 4, 0x00500000 | TOUCHED);
    churn(KERNEL, 0);
    assert_int_equal(fault(KERNEL, true), MMU_FAULT_CHURNS);
    mmu_prefill(rig.v, KERNEL);
    assert_int_equal(kernel_shows(KERNEL), 0);
    touch(KERNEL + 0x1000, true); /* its neighbour does not churn */
    assert_int_equal(fault(KERNEL, false), MMU_FAULT_CHURNS);
    host_stub.clock_ns += 200000000;
    touch(KERNEL, true);
    assert_int_equal(kernel_shows(KERNEL), 0x00400003);
}

/* What a program does that write-protects its heap to see who writes. */
static void pages_protected_all_the_time_are_not_mapped(void **state) {
    (void)state;
    start();
    promote();
    for (unsigned k = 0; k < 8; k++) {
        put_page(0, 0x00400000 | TOUCHED | PTE_US);
        mmu_invlpg(rig.v, USER);
        mmu_enter_user(rig.v);
        touch(USER, true);
        put_page(0, 0x00400000 | (TOUCHED & ~PTE_RW) | PTE_US);
        mmu_invlpg(rig.v, USER);
        mmu_enter_user(rig.v);
        assert_int_equal(shown(mmu()->current, USER), 0x00400001);
    }
    assert_int_equal(fault(USER, true), MMU_FAULT_GUEST);
    rig.v->exc.pending = false;
    put_page(0, 0x00400000 | TOUCHED | PTE_US);
    assert_int_equal(fault(USER, true), MMU_FAULT_CHURNS);
    /* that page, but in another address space */
    rig_put32(0x5000 + (USER >> 22) * 4, TABLE | RW | PTE_US | PTE_A);
    rig_load_cr3(0x5000);
    promote();
    touch(USER, true);
}

/* -- address spaces -- */

static void reload_costs_no_host_call(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 60; i++) {
        put_page(i, (0x00400000 + i * 0x3000) | TOUCHED | PTE_US | (i % 2 ? PTE_G : 0));
    }
    promote();
    for (unsigned i = 0; i < 60; i++) {
        if (!shown(mmu()->current, USER + i * PAGE_SIZE)) {
            touch(USER + i * PAGE_SIZE, true);
        }
    }
    unsigned calls = host_stub.window_calls;
    for (unsigned i = 0; i < 100; i++) {
        rig_load_cr3(DIR);
    }
    assert_int_equal(host_stub.window_calls, calls);
    assert_int_equal(mmu()->current->mapped, 60);
    assert_int_equal(rig.v->window_base[1], mmu()->current->base);
}

static void fork_makes_read_only_in_few_calls(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 40; i++) {
        put_page(i, (0x00400000 + i * PAGE_SIZE) | TOUCHED | PTE_US);
    }
    promote();
    touch(USER, true);
    assert_int_equal(mmu()->current->mapped, 40);
    for (unsigned i = 0; i < 40; i++) {
        put_page(i, rig_get32(TABLE + i * 4) & ~PTE_RW);
    }
    unsigned calls = host_stub.window_calls;
    rig_load_cr3(DIR);
    assert_int_equal(host_stub.window_calls, calls + 1);
    assert_int_equal(mmu()->current->mapped, 40);
    assert_int_equal(shown(mmu()->current, USER + 0x5000), 0x00405001);
    for (unsigned i = 0; i < 20; i++) {
        put_page(2 + i, 0);
    }
    calls = host_stub.window_calls;
    rig_load_cr3(DIR);
    assert_int_equal(host_stub.window_calls, calls + 1);
    assert_int_equal(mmu()->current->mapped, 20);
}

static void successor_at_the_same_cr3_starts_without_a_window(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 20; i++) {
        put_page(i, (0x00400000 + i * PAGE_SIZE) | TOUCHED | PTE_US);
    }
    promote();
    touch(USER, true);
    rig_put32(DIR + (USER >> 22) * 4, 0x6000 | RW | PTE_US);
    rig_load_cr3(DIR);
    assert_false(mmu_view_direct(rig.v, true));
    assert_false(mmu_view_tick(rig.v)); /* its age counts from zero */
}

static void fork_protects_across_read_only_pages(void **state) {
    (void)state;
    start();
    for (unsigned i = 0; i < 16; i++) {
        put_page(i, (0x00400000 + i * 0x2000) | TOUCHED | PTE_US);
    }
    put_page(5, rig_get32(TABLE + 5 * 4) & ~PTE_RW);
    put_page(9, 0);
    promote();
    touch(USER, true);
    for (unsigned i = 0; i < 16; i++) {
        put_page(i, rig_get32(TABLE + i * 4) & ~PTE_RW);
    }
    unsigned calls = host_stub.window_calls;
    rig_load_cr3(DIR);
    assert_int_equal(host_stub.window_calls, calls + 2); /* before and behind the unmapped page */
    assert_int_equal(mmu()->current->mapped, 15);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(shown(mmu()->current, USER + i * PAGE_SIZE) & HOST_STUB_WRITABLE, 0);
    }
}

static void global_pages_survive_cr3_loads_unseen(void **state) {
    (void)state;
    start();
    put_page(0, 0x00400000 | TOUCHED | PTE_G);
    touch(KERNEL, true);
    put_page(0, 0);
    rig_load_cr3(DIR);
    assert_int_equal(kernel_shows(KERNEL), 0x00400003);
    mmu_invlpg(rig.v, KERNEL);
    assert_int_equal(kernel_shows(KERNEL), 0);
}

/* -- the hostile guest -- */

static unsigned host_mappings(void) {
    unsigned all = host_stub_window_mappings(mmu()->kernel.host);
    for (unsigned i = 0; i < USER_WINDOWS; i++) {
        if (mmu()->user[i].host) {
            all += host_stub_window_mappings(mmu()->user[i].host);
        }
    }
    return all;
}

/* Every other page of many address spaces, no two neighbours on neighbouring frames. */
static void budget_holds_over_address_spaces(void **state) {
    (void)state;
    enum { SPACE_COUNT = 40, TABLES = 4, DIRS = 0x10000, FIRST_TABLE = 0x80000 };
    start();
    mmu()->budget = 1500;
    for (unsigned t = 0; t < TABLES; t++) {
        for (unsigned i = 0; i < 1024; i += 2) {
            uint32_t frame = 0x00400000 + rig_random(0xb00) * PAGE_SIZE;
            rig_put32(FIRST_TABLE + t * PAGE_SIZE + i * 4, frame | RW | PTE_US);
        }
    }
    for (unsigned s = 0; s < SPACE_COUNT; s++) {
        rig_put32(DIRS + s * PAGE_SIZE + (KERNEL >> 22) * 4, TABLE | RW);
        for (unsigned t = 0; t < TABLES; t++) {
            rig_put32(DIRS + s * PAGE_SIZE + ((USER >> 22) + t) * 4,
                      (FIRST_TABLE + t * PAGE_SIZE) | RW | PTE_US);
        }
    }
    for (unsigned s = 0; s < SPACE_COUNT * 2; s++) {
        rig_load_cr3(DIRS + s % SPACE_COUNT * PAGE_SIZE);
        if (!mmu_view_direct(rig.v, true)) {
            promote();
        }
        unsigned pages = s % 5 == 0 ? TABLES * 1024 : 600;
        for (unsigned i = 0; i < pages; i += 2) {
            if (!shown(mmu()->current, USER + i * PAGE_SIZE)) {
                touch(USER + i * PAGE_SIZE, rig_chance(50));
            }
            assert_true(mmu()->current->breaks <= mmu()->budget);
        }
        assert_in_range(host_mappings(), 1, mmu()->budget);
    }
    assert_true(mmu_stats(&rig.vm)->windows_evicted > 10);
}

/* A large page with code on every other frame needs a mapping for each frame. */
static void budget_holds_when_code_splits_mappings(void **state) {
    (void)state;
    start();
    mmu()->budget = 600;
    for (unsigned d = 0; d < 8; d++) {
        rig_put32(DIR + ((KERNEL >> 22) + d) * 4, 0x00400000 | TOUCHED | PTE_PS | PTE_G);
        touch(KERNEL + (d << 22), true);
    }
    for (unsigned i = 0; i < 1024; i += 2) {
        mmu_protect_code(&rig.vm, 0x00400000 + i * PAGE_SIZE, ELSEWHERE);
        assert_in_range(host_mappings(), 0, mmu()->budget);
        for (unsigned d = 0; d < 8; d++) {
            assert_int_equal(kernel_shows(KERNEL + (d << 22) + i * PAGE_SIZE) & HOST_STUB_WRITABLE,
                             0);
        }
    }
    /* one mapping of the page now takes more than there is: the checked form must do */
    assert_int_equal(fault(KERNEL + 0x1000, true), MMU_FAULT_CHECKED);
}

/* All 1,024 regions of several windows: the pool of regions runs out before the budget does. */
static void region_pool_running_out(void **state) {
    (void)state;
    enum { SPACE_COUNT = 6, DIRS = 0x10000 };
    start();
    mmu()->budget = 30000;
    put_page(0, 0x00400000 | RW | PTE_US);
    for (unsigned s = 0; s < SPACE_COUNT; s++) {
        for (unsigned i = 0; i < 1024; i++) {
            rig_put32(DIRS + s * PAGE_SIZE + i * 4, TABLE | RW | PTE_US);
        }
        rig_load_cr3(DIRS + s * PAGE_SIZE);
        promote();
        for (unsigned i = 0; i < 1024; i++) {
            touch(i << 22, true);
        }
        assert_int_equal(mmu()->current->mapped, 1024);
    }
    assert_true(mmu_stats(&rig.vm)->windows_evicted > 0);
}

/* -- NX, for user code that runs natively -- */

enum { PDPT = 0x3000, SHOWN = HOST_STUB_MAPPED, RUNS = HOST_STUB_MAPPED | HOST_STUB_EXECUTABLE };

/* PAE with NX; TABLE serves USER. */
static void start_nx(void) {
    rig_start(4000);
    host_stub.window_nx = true;
    rig_put64(PDPT, DIR | PTE_P);
    rig_put64(DIR + (USER >> 21) * 8, TABLE | RW | PTE_US | PTE_A);
    rig_paging(RIG_PAE_NX, PDPT);
    promote();
}

static void put_wide_page(unsigned i, uint64_t e) {
    rig_put64(TABLE + i * 8, e | RW | PTE_US);
}

static uint32_t user_shows(unsigned i) {
    return shown(mmu()->current, USER + i * PAGE_SIZE);
}

static void pages_run_only_where_the_guest_says(void **state) {
    (void)state;
    start_nx();
    for (unsigned i = 0; i < 4; i++)
        put_wide_page(i, (0x00400000 + i * PAGE_SIZE) | PTE_A | (i & 1 ? PTE_NX : 0));
    assert_int_equal(mmu_window_fetch(rig.v, USER), MMU_FAULT_RETRY);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(user_shows(i), (0x00400000 + i * PAGE_SIZE) | (i & 1 ? SHOWN : RUNS));
    assert_int_equal(mmu_window_fetch(rig.v, USER + PAGE_SIZE), MMU_FAULT_GUEST);
    assert_int_equal(rig.v->exc.error, PFERR_P | PFERR_U | PFERR_I);
    touch(USER + PAGE_SIZE, true); /* data accesses do not mind, and it stays so */
    assert_int_equal(user_shows(1), 0x00401000 | SHOWN | HOST_STUB_WRITABLE);
}

static void nx_that_changes_is_followed(void **state) {
    (void)state;
    start_nx();
    put_wide_page(0, 0x00400000 | PTE_A);
    assert_int_equal(mmu_window_fetch(rig.v, USER), MMU_FAULT_RETRY);
    put_wide_page(0, 0x00400000 | PTE_A | PTE_NX);
    mmu_invlpg(rig.v, USER);
    mmu_enter_user(rig.v);
    assert_int_equal(user_shows(0), 0);
    touch(USER, false);
    assert_int_equal(user_shows(0), 0x00400000 | SHOWN);
    put_wide_page(0, 0x00400000 | PTE_A); /* no INVLPG: the right grows at the next fetch */
    assert_int_equal(mmu_window_fetch(rig.v, USER), MMU_FAULT_RETRY);
    assert_int_equal(user_shows(0), 0x00400000 | RUNS);
    put_wide_page(0, 0x00400000 | PTE_A | PTE_NX);
    rig_load_cr3(PDPT);
    assert_true(!mmu()->current || user_shows(0) == 0);
}

static void nx_of_a_directory_entry_covers_its_pages(void **state) {
    (void)state;
    start_nx();
    rig_put64(DIR + (USER >> 21) * 8, TABLE | RW | PTE_US | PTE_A | PTE_NX);
    put_wide_page(0, 0x00400000 | PTE_A);
    touch(USER, false);
    assert_int_equal(user_shows(0), 0x00400000 | SHOWN);
    rig_put64(DIR + (USER >> 21) * 8, TABLE | RW | PTE_US | PTE_A);
    assert_int_equal(mmu_window_fetch(rig.v, USER), MMU_FAULT_RETRY);
    assert_int_equal(user_shows(0), 0x00400000 | RUNS);
    rig_put64(DIR + (USER >> 21) * 8,
              0x00600000 | TOUCHED | PTE_US | PTE_PS | PTE_NX); /* a large page */
    mmu_invlpg(rig.v, USER);
    mmu_enter_user(rig.v);
    touch(USER, false);
    assert_int_equal(user_shows(7), 0x00607000 | SHOWN | HOST_STUB_WRITABLE);
    assert_int_equal(mmu_window_fetch(rig.v, USER), MMU_FAULT_GUEST);
}

static void a_host_that_refuses_everything(void **state) {
    (void)state;
    start();
    host_stub.window_refuse = 1;
    put_page(0, 0x00400000 | TOUCHED);
    assert_int_equal(fault(KERNEL, true), MMU_FAULT_CHECKED);
    assert_int_equal(kernel_shows(KERNEL), 0);
    host_stub.window_refuse = 0;
    touch(KERNEL, true);
    host_stub.window_refuse = 1;
    mmu_protect_code(&rig.vm, 0x00400000, ELSEWHERE);
    assert_int_equal(kernel_shows(KERNEL), 0);
}

static void too_small_a_budget_means_no_windows(void **state) {
    (void)state;
    rig_start(100);
    assert_false(mmu_view_direct(rig.v, false));
    assert_int_equal(fault(0x1000, false), MMU_FAULT_CHECKED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_outside_memory),
        cmocka_unit_test(without_paging_ram_comes_in_large_runs),
        cmocka_unit_test(large_page_is_one_mapping),
        cmocka_unit_test(kernel_text_is_protected_in_groups),
        cmocka_unit_test(clean_large_page_is_read_only),
        cmocka_unit_test(neighbours_in_use_come_along),
        cmocka_unit_test(neighbours_keep_a_and_d_exact),
        cmocka_unit_test(user_pages_stay_out_of_the_kernel_window),
        cmocka_unit_test(fault_of_the_guest),
        cmocka_unit_test(prefill_maps_what_was_accessed),
        cmocka_unit_test(pages_invalidated_all_the_time_are_not_mapped),
        cmocka_unit_test(pages_protected_all_the_time_are_not_mapped),
        cmocka_unit_test(reload_costs_no_host_call),
        cmocka_unit_test(fork_makes_read_only_in_few_calls),
        cmocka_unit_test(successor_at_the_same_cr3_starts_without_a_window),
        cmocka_unit_test(fork_protects_across_read_only_pages),
        cmocka_unit_test(global_pages_survive_cr3_loads_unseen),
        cmocka_unit_test(budget_holds_over_address_spaces),
        cmocka_unit_test(budget_holds_when_code_splits_mappings),
        cmocka_unit_test(region_pool_running_out),
        cmocka_unit_test(pages_run_only_where_the_guest_says),
        cmocka_unit_test(nx_that_changes_is_followed),
        cmocka_unit_test(nx_of_a_directory_entry_covers_its_pages),
        cmocka_unit_test(a_host_that_refuses_everything),
        cmocka_unit_test(too_small_a_budget_means_no_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
