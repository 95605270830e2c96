/*
 * Windows against the manual's idea of a TLB (Intel SDM vol. 3A section 4.10): random page-table
 * edits, accesses, INVLPG, CR3 loads and mode changes. Beside the MMU a model keeps, for every
 * page, each translation that the tables have held since the page was last invalidated; whatever a
 * window or the software TLB shows must be one of them, with A (and D if writable) set.
 */
#include "tests/unit/mmu_rig.h"

#include "mmu/window.h"

/* Guest memory: tables of three address spaces, then frames to map. */
enum { SPACE_COUNT = 3, TABLES = 10, DATA_FRAMES = 48 };
#define PDPT_GPA(s)  (0x1000u + (s)*0x1000u)
#define DIR_GPA(s)   (0x4000u + (s)*0x1000u)
#define TABLE_GPA(t) (0x8000u + (t)*0x1000u)
#define TABLES_END   TABLE_GPA(TABLES)
#define DATA_GPA(f)  (0x40000u + (f)*0x1000u)

/* Linear addresses in use: four regions of 4 MiB, two for programs, two for the kernel. */
enum { SPOTS = 4, SPOT_PAGES = 24 };
static const gla_t SPOT[SPOTS] = {0x00400000, 0x08000000, 0xc0000000, 0xc0400000};

enum { LEGAL_MAX = 12, LEGAL_WRITE = 1, LEGAL_GLOBAL = 2, LEGAL_USER = 4 };

/* Translations of one page that a TLB may hold: frame | LEGAL_*. */
struct legal {
    unsigned count;
    uint32_t entry[LEGAL_MAX];
};

static struct {
    struct legal super[SPOTS][1024], user[SPOTS][1024];
    bool full; /* a page has no room: the next step must invalidate everything */
    uint8_t before[0x40000];
} model;

/* The pages of a spot that the model follows; large pages map the others, too. */
static bool followed(unsigned i) {
    return i < SPOT_PAGES || i % 61 == 0;
}

/* -- the model -- */

static void legal_add(struct legal *l, uint32_t entry) {
    for (unsigned i = 0; i < l->count; i++) {
        if (l->entry[i] == entry) {
            return;
        }
    }
    if (l->count == LEGAL_MAX) {
        fail_msg("model is full");
    }
    l->entry[l->count++] = entry;
    if (l->count >= LEGAL_MAX - 2) {
        model.full = true;
    }
}

static void model_page(unsigned spot, unsigned i) {
    gla_t gla = SPOT[spot] + i * PAGE_SIZE;
    struct ref r = ref_walk(gla, MMU_R);
    if (!r.ok || !r.accessed) {
        return;
    }
    uint32_t base = (uint32_t)r.gpa | (r.global ? LEGAL_GLOBAL : 0) | (r.user ? LEGAL_USER : 0);
    bool super_write = r.dirty && (r.write || !(rig.v->cr0 & CR0_WP));
    legal_add(&model.super[spot][i], base | (super_write ? LEGAL_WRITE : 0));
    if (r.user) {
        legal_add(&model.user[spot][i], base | (r.dirty && r.write ? LEGAL_WRITE : 0));
    }
}

/* Adds what the tables say now. */
static void model_update(void) {
    for (unsigned s = 0; s < SPOTS; s++) {
        for (unsigned i = 0; i < 1024; i++) {
            if (followed(i)) {
                model_page(s, i);
            }
        }
    }
}

static void model_forget(bool global_too) {
    for (unsigned s = 0; s < SPOTS; s++) {
        for (unsigned i = 0; i < 1024; i++) {
            struct legal *l = &model.super[s][i];
            unsigned kept = 0;
            for (unsigned e = 0; e < l->count; e++) {
                if (!global_too && (l->entry[e] & LEGAL_GLOBAL)) {
                    l->entry[kept++] = l->entry[e];
                }
            }
            l->count = kept;
            model.user[s][i].count = 0;
        }
    }
    if (global_too) {
        model.full = false;
    }
}

static void model_forget_page(gla_t gla) {
    struct ref r = ref_walk(gla, MMU_R);
    for (unsigned s = 0; s < SPOTS; s++) {
        for (unsigned i = 0; i < 1024; i++) {
            gla_t here = SPOT[s] + i * PAGE_SIZE;
            uint32_t size = r.ok ? r.page_bytes : PAGE_SIZE;
            if ((here ^ gla) < size) {
                model.super[s][i].count = model.user[s][i].count = 0;
            }
        }
    }
}

static bool is_legal(const struct legal *l, uint32_t frame, bool write, bool no_user) {
    for (unsigned i = 0; i < l->count; i++) {
        uint32_t e = l->entry[i];
        if ((e & PAGE_MASK) == frame && (!write || (e & LEGAL_WRITE)) &&
            !(no_user && (e & LEGAL_USER))) {
            return true;
        }
    }
    return false;
}

/* -- checks -- */

static void check_window(struct window *w, bool visible) {
    unsigned mapped = 0;
    for (unsigned s = 0; s < SPOTS; s++) {
        for (unsigned i = 0; i < 1024; i++) {
            uint32_t page = (SPOT[s] >> PAGE_SHIFT) + i;
            uint32_t host = host_stub_window_page(w->host, page);
            uint32_t e = shadow_entry(&rig.vm.mmu->shadow, w, page);
            assert_int_equal(!!e, !!host);
            if (!host) {
                continue;
            }
            mapped++;
            bool write = host & HOST_STUB_WRITABLE;
            assert_int_equal(e & SE_FRAME, host & PAGE_MASK);
            assert_int_equal(!!(e & SE_D), write);
            if (write && (rig.vm.mem.frame_flags[host >> PAGE_SHIFT] & FRAME_CODE)) {
                fail_msg("page %05x: frame %x with code is writable", page, host & PAGE_MASK);
            }
            const struct legal *l = w->user ? &model.user[s][i] : &model.super[s][i];
            bool no_user = !w->user && rig.vm.mmu->many_cr3;
            bool stale = w == rig.vm.mmu->current && rig.vm.mmu->stale_count;
            if (visible && !stale && followed(i) &&
                !is_legal(l, host & PAGE_MASK, write, no_user)) {
                fail_msg("page %05x of the %s window shows %08x, which no tables since its "
                         "invalidation said",
                         page, w->user ? "user" : "kernel", host);
            }
        }
    }
    assert_int_equal(mapped, w->mapped); /* nothing elsewhere */
}

static void check_tlb(void) {
    for (unsigned view = 0; view < 2; view++) {
        const struct soft_tlb *t = &rig.v->tlb[view];
        for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++) {
            assert_true(t->wtag[i] == SOFT_TLB_INVALID || t->wtag[i] == t->rtag[i]);
            if (t->rtag[i] == SOFT_TLB_INVALID) {
                continue;
            }
            unsigned s = 0;
            while (s < SPOTS - 1 && SPOT[s] >> 22 != t->rtag[i] >> 22) {
                s++;
            }
            uint64_t hva = t->addend[i] + t->rtag[i];
            uint32_t frame = (uint32_t)(hva - (uintptr_t)rig.vm.mem.ram);
            bool write = t->wtag[i] == t->rtag[i];
            unsigned page = t->rtag[i] >> PAGE_SHIFT & 1023;
            assert_false(write && (rig.vm.mem.frame_flags[frame >> PAGE_SHIFT] & FRAME_CODE));
            const struct legal *l = view ? &model.user[s][page] : &model.super[s][page];
            assert_true(is_legal(l, frame, write, false));
        }
    }
}

static void check_all(void) {
    struct mmu *m = rig.vm.mmu;
    check_window(&m->kernel, true);
    assert_int_equal(rig.v->window_base[0], m->kernel.base);
    assert_int_equal(rig.v->window_base[1], m->current ? m->current->base : 0);
    for (unsigned i = 0; i < USER_WINDOWS; i++) {
        if (m->user[i].host) {
            check_window(&m->user[i], m->current == &m->user[i]);
        }
    }
    check_tlb();
}

/* The host's mappings, counted one by one, against the MMU's own count and its budget. */
static void check_mappings(void) {
    struct mmu *m = rig.vm.mmu;
    unsigned all = 0;
    for (unsigned i = 0; i <= USER_WINDOWS; i++) {
        struct window *w = i < USER_WINDOWS ? &m->user[i] : &m->kernel;
        if (w->host) {
            unsigned n = host_stub_window_mappings(w->host);
            assert_in_range(n, 0, w->breaks);
            assert_in_range(w->breaks, 0, n + 1);
            all += n;
        }
    }
    assert_in_range(all, 0, m->budget);
}

/* -- what the guest does -- */

static gla_t random_gla(void) {
    return SPOT[rig_random(SPOTS)] + rig_random(SPOT_PAGES) * PAGE_SIZE;
}

static uint64_t random_pte(void) {
    uint64_t e = DATA_GPA(rig_random(DATA_FRAMES));
    e |= rig_chance(85) ? PTE_P : 0;
    e |= rig_chance(70) ? PTE_RW : 0;
    e |= rig_chance(60) ? PTE_US : 0;
    e |= rig_chance(60) ? PTE_A : 0;
    e |= rig_chance(50) ? PTE_D : 0;
    e |= rig_chance(40) ? PTE_G : 0;
    if (rig_chance(3)) {
        e = rig_chance(50) ? 0xa0000 | 7 : 0xfee00000 | 7; /* devices */
    }
    return e;
}

static unsigned dir_index(gla_t gla) {
    return rig_pae() ? gla >> 21 & 511 : gla >> 22;
}

static gpa_t dir_of(unsigned space, gla_t gla) {
    (void)gla; /* one directory serves all four gigabytes in PAE mode, too */
    return DIR_GPA(space);
}

static void edit_pde(void) {
    unsigned spot = rig_random(SPOTS);
    gla_t gla = SPOT[spot] + (rig_pae() && rig_chance(20) ? 1u << 21 : 0);
    uint64_t e = TABLE_GPA(rig_random(TABLES)) | PTE_A | PTE_P | PTE_RW | PTE_US;
    if (rig_chance(15)) {
        e = (1 + rig_random((RIG_RAM >> 22) - 1)) << 22 | PTE_PS | PTE_P |
            (random_pte() & (PTE_RW | PTE_US | PTE_A | PTE_D | PTE_G));
    } else if (rig_chance(30)) {
        e &= ~(uint64_t)(1u << rig_random(6)) | 0x18;
    }
    rig_put_entry(dir_of(rig_random(SPACE_COUNT), gla), dir_index(gla), e);
}

static void edit_pte(void) {
    gpa_t table = TABLE_GPA(rig_random(TABLES));
    unsigned i = rig_random(SPOT_PAGES);
    uint64_t e = rig_pae() ? rig_get64(table + i * 8) : rig_get32(table + i * 4);
    switch (rig_random(6)) {
    case 0:
        e &= ~(uint64_t)PTE_A;
        break;
    case 1:
        e &= ~(uint64_t)PTE_D;
        break;
    case 2:
        e ^= PTE_RW;
        break;
    case 3: /* a run that one host mapping can take */
        for (unsigned n = 0; n < 8 && i + n < SPOT_PAGES; n++) {
            rig_put_entry(table, i + n, DATA_GPA(i + n) | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_US);
        }
        return;
    default:
        e = random_pte();
    }
    rig_put_entry(table, i, e);
}

static void checked_access(gla_t gla, bool write, bool user) {
    void *p = mmu_prepare(rig.v, gla, 4, (write ? MMU_W : MMU_R) | (user ? MMU_USER : 0));
    if (!p) {
        assert_true(rig.v->exc.pending);
        rig.v->exc.pending = false;
        return;
    }
    if (write) {
        memset(p, 0x11, 4);
        mmu_commit(rig.v);
    }
}

static bool window_allows(const struct window *w, gla_t gla, bool write) {
    uint32_t host = host_stub_window_page(w->host, gla >> PAGE_SHIFT);
    return host && (!write || (host & HOST_STUB_WRITABLE));
}

/* An access of translated code through the view's window, as the translator carries it out. */
static void direct_access(gla_t gla, bool write) {
    if (rig.v->cpl == 3)
        mmu_enter_user(rig.v); /* as the run loop does */
    bool user = vcpu_user(rig.v);
    if (!mmu_view_direct(rig.v, user)) {
        checked_access(gla, write, user);
        return;
    }
    for (unsigned tries = 0; tries < 8; tries++) {
        struct window *w = window_of_view(rig.v, user);
        if (window_allows(w, gla, write)) {
            return;
        }
        struct ref r = ref_walk(gla, (write ? MMU_W : MMU_R) | (user ? MMU_USER : 0));
        gpa_t gpa = 0;
        switch (mmu_window_fault(rig.v, gla, write, &gpa)) {
        case MMU_FAULT_GUEST:
            assert_false(r.ok);
            assert_true(rig.v->exc.pending && rig.v->exc.vector == VEC_PF);
            assert_int_equal(rig.v->exc.error, r.error);
            assert_int_equal(rig.v->exc.cr2, gla);
            rig.v->exc.pending = false;
            return;
        case MMU_FAULT_CHECKED:
        case MMU_FAULT_CHURNS:
            assert_true(r.ok);
            checked_access(gla, write, user);
            return;
        case MMU_FAULT_CODE_WRITE:
            assert_true(r.ok && write && gpa == r.gpa);
            assert_true(bt_code_written(&rig.vm, gpa, 4));
            break;
        case MMU_FAULT_RETRY:
            assert_true(r.ok);
            break;
        }
    }
    fail_msg("access to %08x makes no progress", gla);
}

/* A and D may appear only in the entries on the way to gla; and must, if the access went through.
 */
static void expect_bits_only_on_path(gla_t gla, bool write) {
    struct ref r = ref_walk(gla, MMU_R);
    for (uint32_t at = 0x1000; at < TABLES_END; at += 4) {
        uint32_t now = rig_get32(at), old;
        memcpy(&old, model.before + at, 4);
        if (now == old) {
            continue;
        }
        bool on_path = false, leaf = false;
        for (unsigned i = 0; i < r.entries; i++) {
            on_path |= r.entry_gpa[i] == at;
            leaf = r.entry_gpa[i] == at && i == r.entries - 1;
        }
        assert_true(on_path);
        assert_int_equal(now & ~old & ~(PTE_A | (leaf && write ? PTE_D : 0)), 0);
        assert_int_equal(old & ~now, 0);
    }
}

static void expect_tables_unchanged(void) {
    assert_memory_equal(rig.vm.mem.ram + 0x1000, model.before + 0x1000, TABLES_END - 0x1000);
}

static void set_cr4(uint32_t cr4) {
    rig.v->cr4 = cr4;
    mmu_mode_changed(rig.v);
    model_forget(true);
}

static void step(void) {
    struct vcpu *v = rig.v;
    gla_t gla = random_gla();
    bool write = rig_chance(50);
    unsigned what = model.full ? 99 : rig_random(100);

    rig.v->cpl = rig_chance(50) ? 3 : 0;
    memcpy(model.before, rig.vm.mem.ram, TABLES_END);
    if (what < 18) {
        edit_pte();
    } else if (what < 21) {
        edit_pde();
    } else if (what < 55) {
        direct_access(gla, write);
        expect_bits_only_on_path(gla, write);
    } else if (what < 65) {
        checked_access(gla, write, rig_chance(50));
        expect_bits_only_on_path(gla, write);
    } else if (what < 75) {
        mmu_invlpg(v, gla);
        model_forget_page(gla);
        expect_tables_unchanged();
    } else if (what < 85) {
        unsigned space = rig_random(SPACE_COUNT);
        rig_load_cr3(rig_pae() ? PDPT_GPA(space) : DIR_GPA(space));
        model_forget(!(v->cr4 & CR4_PGE));
        expect_tables_unchanged();
    } else if (what < 90) {
        mmu_protect_code(&rig.vm, DATA_GPA(rig_random(DATA_FRAMES)), ELSEWHERE);
        expect_tables_unchanged();
    } else if (what < 93) {
        mmu_prefill(v, gla);
        expect_tables_unchanged();
    } else if (what < 96) {
        v->gpr[ESP] = SPOT[0];
        host_stub.clock_ns += 2000000;
        mmu_view_tick(v);
        expect_tables_unchanged();
    } else if (what < 98) {
        set_cr4(v->cr4 ^ CR4_PGE);
    } else if (what < 99) {
        v->cr0 ^= CR0_WP;
        mmu_mode_changed(v);
        model_forget(true);
    } else {
        set_cr4(v->cr4 & ~CR4_PGE);
        set_cr4(v->cr4 | CR4_PGE);
    }
}

/* -- tests -- */

static void populate(enum rig_mode mode) {
    struct memmap *mem = &rig.vm.mem;
    for (unsigned s = 0; s < SPACE_COUNT; s++) {
        for (unsigned i = 0; i < 4; i++) {
            rig_put64(PDPT_GPA(s) + i * 8, DIR_GPA(s) | 1);
        }
    }
    rig_paging(mode, mode >= RIG_PAE ? PDPT_GPA(0) : DIR_GPA(0));
    for (unsigned t = 0; t < TABLES; t++) {
        for (unsigned i = 0; i < SPOT_PAGES; i++) {
            rig_put_entry(TABLE_GPA(t), i, random_pte());
        }
    }
    for (unsigned i = 0; i < 200; i++) {
        edit_pde();
    }
    memmap_set_kind(mem, DATA_GPA(5), PAGE_SIZE, MEM_ROM);
    mmu_mode_changed(rig.v);
    memset(&model, 0, sizeof model);
}

static void soak(enum rig_mode mode, unsigned steps, unsigned budget, unsigned refuse) {
    rig_start(budget);
    populate(mode);
    host_stub.window_refuse = refuse;
    model_update();
    for (unsigned i = 0; i < steps; i++) {
        step();
        model_update();
        check_all();
        if (i % 512 == 0) {
            check_mappings();
        }
    }
    const struct mmu_stats *s = mmu_stats(&rig.vm);
    assert_true(s->window_maps > 100 && s->revalidations > 100 && s->views_promoted > 0);
    assert_true(s->code_protects > 0 && rig.code_writes > 0 && rig.mmio_writes > 0);
}

static void soak_32(void **state) {
    (void)state;
    soak(RIG_32, 6000, 4000, 0);
}

static void soak_32_large_pages(void **state) {
    (void)state;
    soak(RIG_32_PSE, 10000, 4000, 0);
}

static void soak_pae(void **state) {
    (void)state;
    soak(RIG_PAE_NX, 10000, 4000, 0);
}

static void soak_with_a_host_that_refuses(void **state) {
    (void)state;
    soak(RIG_32_PSE, 6000, 300, 7);
    soak(RIG_PAE, 6000, 256, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soak_32),
        cmocka_unit_test(soak_32_large_pages),
        cmocka_unit_test(soak_pae),
        cmocka_unit_test(soak_with_a_host_that_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
