/*
 * Revalidation: what a CR3 load or INVLPG would drop from a TLB is compared with the guest's tables
 * and stays where they still say the same (SDM vol. 3A section 4.10.4 allows a TLB to reload it at
 * once). Only mapped pages are looked at, by bitmap. Neighbouring drops become one host call, and a
 * page that has only lost the right to write (fork) is made read-only instead.
 */
#include "mmu/revalidate.h"

#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/window.h"
#include "vmm/vm.h"

/* Changes found but not yet made: one run of pages of one window, to drop or to protect. */
struct batch {
    struct mmu *m;
    struct window *w;
    bool all; /* every mapped page is being looked at, so drops may swallow unmapped gaps */
    enum { NOTHING, DROP, PROTECT } what;
    uint32_t first, end;
    uint32_t kept; /* PROTECT: pages [end, kept) are read-only already and may be swallowed, too */
};

static void batch_flush(struct batch *b) {
    if (b->what == DROP)
        window_drop(b->m, b->w, b->first, b->end - b->first);
    else if (b->what == PROTECT)
        window_write_protect(b->m, b->w, b->first, b->end - b->first);
    b->what = NOTHING;
}

static void batch_add(struct batch *b, int what, uint32_t page, uint32_t n) {
    bool joins =
        b->what == (unsigned)what && (b->end == page || (what == DROP ? b->all : b->kept == page));
    if (!joins) {
        batch_flush(b);
        b->what = what;
        b->first = page;
    }
    b->end = b->kept = page + n;
}

/* A page stays as it is: nothing may be dropped across it. */
static void batch_keep(struct batch *b, uint32_t page, uint32_t entry) {
    if (b->what == DROP && b->all)
        batch_flush(b);
    if (b->what == PROTECT && b->kept == page && !(entry & SE_D))
        b->kept++;
}

bool revalidate_holds(const struct vcpu *v, const struct window *w, uint64_t guest,
                      uint32_t relied) {
    uint32_t high = (uint32_t)(guest >> 32) & (gwalk_nx(v) ? 0x7fffffffu : UINT32_MAX);
    uint32_t mask = SE_RELIES(relied) | ((relied & SE_LARGE) ? PTE_PS : 0);
    bool nx = !w->nx || !(guest & PTE_NX) == !(relied & SE_NX);
    return high == 0 && nx && (((uint32_t)guest ^ relied) & mask) == 0;
}

void revalidate_halves(const struct vcpu *v, gla_t gla, unsigned *first, unsigned *last) {
    bool pae = gwalk_paging(v) && gwalk_pae(v);
    *first = pae ? gla >> 21 & 1 : 0;
    *last = pae ? *first : 1;
}

static bool pde_holds(const struct vcpu *v, const struct window *w, gla_t gla, uint32_t relied) {
    gpa_t gpa;
    if (!gwalk_pde_gpa(v, gla, &gpa))
        return false;
    uint64_t pde = gwalk_load(v, gpa);
    bool large = (pde & PTE_PS) && (gwalk_pae(v) || (v->cr4 & CR4_PSE));
    return revalidate_holds(v, w, pde, relied) && large == !!(relied & SE_LARGE);
}

/* The guest page table under a half's pde, first entry of the half. NULL: not memory. */
static const uint8_t *half_table(const struct vcpu *v, uint32_t pde, unsigned half) {
    const uint8_t *table = memmap_ptr(&v->vm->mem, pde & PTE_FRAME & v->vm->mem.cpu_mask);
    return table && !gwalk_pae(v) ? table + half * HALF_PAGES * 4 : table;
}

static uint64_t table_entry(const struct vcpu *v, const uint8_t *table, uint32_t i) {
    uint64_t wide;
    uint32_t narrow;

    if (gwalk_pae(v)) {
        memcpy(&wide, table + i * 8, 8);
        return wide;
    }
    memcpy(&narrow, table + i * 4, 4);
    return narrow;
}

/* A page that was mapped before the guest made it global (or set CR4.PGE) need not be looked at
 * again: a TLB might have reloaded it just now. */
static bool becomes_global(const struct vcpu *v, const struct window *w, uint64_t guest) {
    return !w->user && (guest & PTE_G) && (v->cr4 & CR4_PGE);
}

/* True: it has changed. */
static bool check_page(struct vcpu *v, struct batch *b, uint32_t page, uint32_t entry,
                       uint64_t guest) {
    b->m->stats.revalidated_pages++;
    if (__builtin_expect(revalidate_holds(v, b->w, guest, entry), 1)) {
        batch_keep(b, page, entry);
        if (!(entry & SE_G) && becomes_global(v, b->w, guest))
            shadow_set(&b->m->shadow, b->w, page, entry | SE_G);
        return false;
    }
    if ((entry & SE_D) && revalidate_holds(v, b->w, guest, entry & ~(SE_D | SE_RW)))
        batch_add(b, PROTECT, page, 1);
    else
        batch_add(b, DROP, page, 1);
    return true;
}

/* The same for a large page that holds. */
static void make_half_global(struct vcpu *v, struct batch *b, uint32_t first, unsigned half) {
    struct shadow *s = &b->m->shadow;
    const struct region *r = shadow_region(s, b->w, first);
    gpa_t gpa;

    if (!r->local_count || !gwalk_pde_gpa(v, first << PAGE_SHIFT, &gpa) ||
        !becomes_global(v, b->w, gwalk_load(v, gpa)))
        return;
    for (uint32_t i = half * HALF_PAGES; i < (half + 1) * HALF_PAGES; i++)
        if (r->local[i / 64] >> (i % 64) & 1)
            shadow_set(s, b->w, first - half * HALF_PAGES + i, r->entry[i] | SE_G);
}

static void check_half(struct vcpu *v, struct batch *b, uint32_t region_page, unsigned half) {
    const struct region *r = shadow_region(&b->m->shadow, b->w, region_page);
    const unsigned words = HALF_PAGES / 64;
    uint64_t look[HALF_PAGES / 64];
    uint64_t any = 0;

    if (!r) /* the other half was its last, and gone by now */
        return;
    for (unsigned i = 0; i < words; i++)
        any |= look[i] = (b->all ? r->mapped : r->local)[half * words + i];
    if (!any)
        return;

    uint32_t first = region_page + half * HALF_PAGES;
    const uint8_t *table = half_table(v, r->pde[half], half);
    if (!pde_holds(v, b->w, first << PAGE_SHIFT, r->pde[half]) || !table) {
        batch_add(b, DROP, first, HALF_PAGES);
        return;
    }
    if (r->pde[half] & SE_LARGE) {
        b->m->stats.revalidated_pages++;
        batch_keep(b, first, SE_D);
        make_half_global(v, b, first, half);
        return;
    }
    for (unsigned i = 0; i < words; i++) {
        for (; look[i]; look[i] &= look[i] - 1) {
            uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(look[i]);
            check_page(v, b, first + at, r->entry[half * HALF_PAGES + at],
                       table_entry(v, table, at));
        }
    }
}

/* Changes are made a run at a time and a run never reaches past the page being looked at, so a
 * region is still there while its pages are. */
void revalidate_window(struct vcpu *v, struct window *w, bool all) {
    struct mmu *m = v->vm->mmu;
    struct batch b = {.m = m, .w = w, .all = all};
    uint64_t dropped = m->stats.dropped_pages;

    m->stats.revalidations++;
    for (uint32_t word = 0; word < REGIONS / 64; word++) {
        uint64_t look = (all ? w->present : w->local)[word];
        for (; look; look &= look - 1) {
            uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(look);
            for (unsigned half = 0; half < 2; half++)
                check_half(v, &b, index << 10, half);
        }
    }
    batch_flush(&b);
    if (LOG_ON(LOG_MMU))
        host_log("mmu: revalidate %s window cr3 %08x: %u pages left, %u dropped",
                 w->user ? "user" : "kernel", v->cr3, w->mapped,
                 (unsigned)(m->stats.dropped_pages - dropped));
}

static void look_at_page(struct vcpu *v, struct batch *b, gla_t gla) {
    struct mmu *m = b->m;
    struct window *w = b->w;
    uint32_t page = gla >> PAGE_SHIFT;
    const struct region *r = shadow_region(&m->shadow, w, page);
    if (!r)
        return;

    unsigned first, last;
    revalidate_halves(v, gla, &first, &last);
    uint32_t region_page = page & ~(REGION_PAGES - 1);
    unsigned half = page / HALF_PAGES & 1;
    if (shadow_half_empty(r, half))
        return;
    if (!pde_holds(v, w, gla, r->pde[half])) {
        batch_flush(b);
        window_drop(m, w, region_page + first * HALF_PAGES, (last - first + 1) * HALF_PAGES);
        return;
    }
    uint32_t entry = r->entry[page & (REGION_PAGES - 1)];
    const uint8_t *table = half_table(v, r->pde[half], half);
    if (!entry || (r->pde[half] & SE_LARGE))
        return;
    if (!table) {
        batch_flush(b);
        window_drop(m, w, page, 1);
        return;
    }
    if (check_page(v, b, page, entry, table_entry(v, table, page % HALF_PAGES)))
        window_note_churn(m, w, page);
}

void revalidate_page(struct vcpu *v, struct window *w, gla_t gla) {
    struct batch b = {.m = v->vm->mmu, .w = w};

    look_at_page(v, &b, gla);
    batch_flush(&b);
}

void revalidate_pages(struct vcpu *v, struct window *w, const uint32_t *pages, unsigned n) {
    struct batch b = {.m = v->vm->mmu, .w = w};

    for (unsigned i = 0; i < n; i++)
        look_at_page(v, &b, pages[i] << PAGE_SHIFT);
    batch_flush(&b);
}
