/* Guest page walk (mmu/gwalk.c) against the naive walker and against the manual's single rules. */
#include "tests/unit/mmu_rig.h"

#define DIR    0x1000u
#define TABLE  0x2000u
#define PDPT   0x3000u
#define ROUNDS 200000

static const gla_t GLA = 0x00403abc; /* directory entry 1 (PAE: 2), table entry 3 */

static void start(enum rig_mode mode) {
    rig_start(0);
    for (unsigned i = 0; i < 4; i++) {
        rig_put64(PDPT + i * 8, DIR | 1);
    }
    rig_paging(mode, mode >= RIG_PAE ? PDPT : DIR);
}

static gpa_t pde_gpa(void) {
    return rig_pae() ? DIR + 2 * 8 : DIR + 4;
}

static gpa_t pte_gpa(void) {
    return rig_pae() ? TABLE + 3 * 8 : TABLE + 3 * 4;
}

static void put(gpa_t gpa, uint64_t e) {
    if (rig_pae()) {
        rig_put64(gpa, e);
    } else {
        rig_put32(gpa, (uint32_t)e);
    }
}

static uint64_t get(gpa_t gpa) {
    return rig_pae() ? rig_get64(gpa) : rig_get32(gpa);
}

static uint64_t random_entry(bool table) {
    uint64_t e = rig_random(1u << 12);
    if (rig_chance(85)) {
        e |= PTE_P;
    }
    if (rig_chance(60)) {
        e &= ~(uint64_t)PTE_PS;
    }
    if (rig_chance(50)) {
        e |= PTE_RW | PTE_US;
    }
    uint32_t frame = table && rig_chance(80) ? TABLE : rig_random(1u << 20) << 12;
    if ((e & PTE_PS) && rig_chance(80)) {
        frame &= rig_pae() ? 0xffe00000 : 0xffc00000;
    }
    e |= frame;
    if (rig_pae() && rig_chance(20)) {
        e |= 1ull << (32 + rig_random(32));
    }
    return e;
}

/* What the walk must leave in an entry that was `before`. */
static uint64_t after_access(uint64_t before, bool leaf, bool write) {
    return before | PTE_A | (leaf && write ? PTE_D : 0);
}

static void check_one(void) {
    static const unsigned kinds[] = {MMU_R, MMU_W, MMU_R | MMU_W, MMU_X};
    unsigned access = kinds[rig_random(4)] | (rig_chance(50) ? MMU_USER : 0);
    put(pde_gpa(), random_entry(true));
    put(pte_gpa(), random_entry(false));
    rig.v->cr0 = CR0_PE | CR0_PG | (rig_chance(70) ? CR0_WP : 0);
    uint64_t pde = get(pde_gpa()), pte = get(pte_gpa());

    struct ref r = ref_walk(GLA, access);
    struct gwalk w;
    bool accessed;
    bool peeked = gwalk_peek(rig.v, GLA, access, &w, &accessed);
    assert_int_equal(peeked, r.ok);
    assert_true(get(pde_gpa()) == pde && get(pte_gpa()) == pte);
    bool ok = gwalk_access(rig.v, GLA, access, &w);
    assert_int_equal(ok, r.ok);
    if (!ok) {
        assert_int_equal(w.error, r.error);
        assert_true(get(pde_gpa()) == pde && get(pte_gpa()) == pte);
        return;
    }
    assert_int_equal(w.gpa, r.gpa);
    assert_int_equal(w.user, r.user);
    assert_int_equal(w.write, r.write);
    assert_int_equal(w.global, r.global);
    assert_int_equal(1u << w.shift, r.page_bytes);
    assert_int_equal(accessed, r.accessed && (!(access & MMU_W) || r.dirty));
    bool write = access & MMU_W;
    bool small = r.entries == 2;
    assert_true(get(pde_gpa()) == after_access(pde, !small, write));
    if (r.entry_gpa[r.entries - 1] == pte_gpa()) {
        assert_true(get(pte_gpa()) == after_access(pte, true, write));
    }
}

static void walk_agrees_with_the_manual(void **state) {
    (void)state;
    for (unsigned mode = 0; mode < RIG_MODES; mode++) {
        start((enum rig_mode)mode);
        for (unsigned i = 0; i < ROUNDS; i++) {
            check_one();
        }
    }
}

static uint32_t error_of(unsigned access) {
    struct gwalk w;
    assert_false(gwalk_access(rig.v, GLA, access, &w));
    return w.error;
}

static void error_codes(void **state) {
    (void)state;
    start(RIG_PAE_NX);
    put(pde_gpa(), TABLE | PTE_P | PTE_RW | PTE_US);
    put(pte_gpa(), 0);
    assert_int_equal(error_of(MMU_R), 0);
    assert_int_equal(error_of(MMU_W | MMU_USER), PFERR_W | PFERR_U);
    assert_int_equal(error_of(MMU_X | MMU_USER), PFERR_U | PFERR_I);
    put(pte_gpa(), 0x5000 | PTE_P | PTE_NX);
    assert_int_equal(error_of(MMU_R | MMU_USER), PFERR_P | PFERR_U);
    assert_int_equal(error_of(MMU_W), PFERR_P | PFERR_W);
    assert_int_equal(error_of(MMU_X), PFERR_P | PFERR_I);
    put(pte_gpa(), 0x5000 | PTE_P | 1ull << 36);
    assert_int_equal(error_of(MMU_R), PFERR_P | PFERR_RSVD);
    put(pde_gpa(), 0x00200000 | PTE_P | PTE_PS | 1u << 13);
    assert_int_equal(error_of(MMU_R), PFERR_P | PFERR_RSVD);
    rig.v->efer = 0;
    put(pde_gpa(), 0x00200000 | PTE_P | PTE_PS | PTE_NX);
    assert_int_equal(error_of(MMU_X), PFERR_P | PFERR_RSVD);
}

static void write_protect_bit(void **state) {
    (void)state;
    struct gwalk w;
    start(RIG_32);
    put(pde_gpa(), TABLE | PTE_P | PTE_RW | PTE_US);
    put(pte_gpa(), 0x5000 | PTE_P | PTE_US);
    assert_int_equal(error_of(MMU_W), PFERR_P | PFERR_W);
    rig.v->cr0 &= ~CR0_WP;
    assert_true(gwalk_access(rig.v, GLA, MMU_W, &w));
    assert_int_equal(w.gpa, 0x5abc);
    assert_int_equal(error_of(MMU_W | MMU_USER), PFERR_P | PFERR_W | PFERR_U);
}

static void tables_outside_memory_read_ones(void **state) {
    (void)state;
    struct gwalk w;
    start(RIG_32);
    put(pde_gpa(), 0xf0000000 | PTE_P | PTE_RW | PTE_US);
    assert_true(gwalk_access(rig.v, GLA, MMU_W | MMU_USER, &w));
    assert_int_equal(w.gpa, 0xfffffabc);
    rig.v->cr3 = 0xa0000; /* the legacy video hole */
    assert_true(gwalk_access(rig.v, GLA, MMU_R, &w));
    start(RIG_PAE);
    put(pde_gpa(), 0xff0000000 | PTE_P);
    assert_int_equal(error_of(MMU_R), PFERR_P | PFERR_RSVD);
}

static void paging_off_is_identity(void **state) {
    (void)state;
    struct gwalk w;
    rig_start(0);
    assert_true(gwalk_access(rig.v, 0xfee00020, MMU_W | MMU_USER, &w));
    assert_int_equal(w.gpa, 0xfee00020);
    assert_true(w.global);
}

static void bad_pdpte_is_gp(void **state) {
    (void)state;
    start(RIG_PAE);
    uint64_t before = rig.v->pdpte[2];
    rig_put64(PDPT + 16, DIR | 1 | 1u << 5);
    assert_false(mmu_load_pdpte(rig.v, PDPT));
    assert_true(rig.v->exc.pending && rig.v->exc.vector == VEC_GP && rig.v->exc.error == 0);
    assert_true(rig.v->pdpte[2] == before);
    rig.v->exc.pending = false;
    rig_put64(PDPT + 16, 1u << 5); /* not present: nothing is reserved */
    assert_true(mmu_load_pdpte(rig.v, PDPT));
    assert_int_equal(error_of(MMU_R) | 1, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walk_agrees_with_the_manual),
        cmocka_unit_test(error_codes),
        cmocka_unit_test(write_protect_bit),
        cmocka_unit_test(tables_outside_memory_read_ones),
        cmocka_unit_test(paging_off_is_identity),
        cmocka_unit_test(bad_pdpte_is_gp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
