/*
 * Filling windows: a host page fault in a window becomes a guest fault, a mapping, or word that the
 * access needs another form.
 *
 * What may be in a window:
 *   kernel   pages the supervisor may reach: U/S=0; while the guest has only ever used one CR3 also
 *            U/S=1. Without paging RAM itself.
 *   user     pages CPL 3 may reach in one address space
 * RAM and ROM only; writable only when the guest may write, the page is dirty, and the frame is RAM
 * without translated code. Neighbours are mapped along only when their A (for writing D) is set
 * already, so that A and D stay exact.
 */
#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/mmu_priv.h"
#include "mmu/revalidate.h"
#include "mmu/window.h"
#include "vmm/vm.h"

/* Neighbours looked at around a 4 KiB page: an aligned group of this many pages. */
#define AROUND_PAGES 16u

/* Entries wanted in one region: want[] of struct mmu, for pages [first, end) of the window. */
struct fill {
    struct vcpu *v;
    struct mmu *m;
    struct window *w;
    bool user;
    uint32_t page; /* the one that is asked for */
    uint32_t first, end;
    uint32_t pde; /* what the region's pde shall be */
    bool pde_user, pde_write;
};

/* want[] entry for a frame, 0 when it cannot be mapped. */
static uint32_t frame_entry(struct mmu *m, gpa_t gpa, uint32_t bits, bool writable) {
    const struct memmap *mem = &m->vm->mem;
    gpa &= mem->cpu_mask;
    uint8_t kind = memmap_kind(mem, gpa);

    if (kind != MEM_RAM && kind != MEM_ROM)
        return 0;
    if (!writable || kind != MEM_RAM || (mem->frame_flags[gpa >> PAGE_SHIFT] & FRAME_CODE))
        return (uint32_t)gpa | (bits & ~SE_RW);
    return (uint32_t)gpa | bits | SE_D;
}

/* want[] entry for a guest page-table entry under f->pde; 0: not to be mapped (now). */
static uint32_t small_entry(const struct fill *f, uint64_t pte) {
    const struct vcpu *v = f->v;
    bool user_page = f->pde_user && (pte & PTE_US);

    if ((pte & (PTE_P | PTE_A)) != (PTE_P | PTE_A))
        return 0;
    if ((uint32_t)(pte >> 32) & (gwalk_nx(v) ? 0x7fffffffu : UINT32_MAX))
        return 0;
    if (f->user ? !user_page : user_page && f->m->many_cr3)
        return 0;
    bool rw = f->pde_write && (pte & PTE_RW);
    bool writable = (pte & PTE_D) && gwalk_may_write(v, rw, f->user);
    f->m->wp_override |= writable && !rw;
    uint32_t bits = SE_P | SE_A | (pte & (PTE_US | PTE_RW));
    if (f->w->nx && (pte & PTE_NX))
        bits |= SE_NX;
    if (!f->user && (pte & PTE_G) && (v->cr4 & CR4_PGE))
        bits |= SE_G;
    return frame_entry(f->m, pte & PTE_FRAME, bits, writable);
}

static uint32_t *want(struct fill *f, uint32_t page) {
    return &f->m->want[page & (REGION_PAGES - 1)];
}

/* May b's page be part of one mapping with a's, the page before it? */
static bool continues(uint32_t a, uint32_t b) {
    return a && b && ((b ^ (a + PAGE_SIZE)) & (SE_FRAME | SE_D | SE_NX)) == 0;
}

static uint32_t current(const struct fill *f, uint32_t page) {
    return shadow_entry(&f->m->shadow, f->w, page);
}

/* -- what to map -- */

/* The group around the page; and where a run goes on beyond the group, all of that run. */
static void want_small(struct fill *f, const uint8_t *table, uint32_t table_page, uint32_t pages) {
    bool pae = pages == HALF_PAGES;
    uint32_t first = f->page & ~(AROUND_PAGES - 1), end = first + AROUND_PAGES;

#define ENTRY_AT(p)                                                                                \
    (pae ? small_entry(f, ((const uint64_t *)(const void *)table)[(p)-table_page])                 \
         : small_entry(f, ((const uint32_t *)(const void *)table)[(p)-table_page]))
    for (uint32_t p = first; p < end; p++)
        *want(f, p) = p != f->page && current(f, p) ? 0 : ENTRY_AT(p);
    for (; end < table_page + pages && !current(f, end); end++) {
        uint32_t e = ENTRY_AT(end);
        if (!continues(*want(f, end - 1), e))
            break;
        *want(f, end) = e;
    }
    for (; first > table_page && !current(f, first - 1); first--) {
        uint32_t e = ENTRY_AT(first - 1);
        if (!continues(e, *want(f, first)))
            break;
        *want(f, first - 1) = e;
    }
#undef ENTRY_AT
    f->first = first;
    f->end = end;
}

static void want_run(struct fill *f, gpa_t gpa, uint32_t bits, bool writable) {
    for (uint32_t p = f->first; p < f->end; p++, gpa += PAGE_SIZE)
        *want(f, p) = frame_entry(f->m, gpa, bits, writable);
}

/* -- mapping it -- */

/* Pages that came from another directory entry than the one that holds now must go first. */
static bool adopt_region(struct fill *f) {
    unsigned first, last;
    gla_t gla = f->page << PAGE_SHIFT;
    struct region *r = shadow_region(&f->m->shadow, f->w, f->page);
    uint32_t region_page = f->page & ~(REGION_PAGES - 1);

    revalidate_halves(f->v, gla, &first, &last);
    for (unsigned half = first; half <= last && r; half++) {
        bool same = ((f->pde ^ r->pde[half]) & (SE_RELIES(r->pde[half]) | SE_LARGE | SE_NX)) == 0;
        if (!same && !shadow_half_empty(r, half)) {
            window_drop(f->m, f->w, region_page + half * HALF_PAGES, HALF_PAGES);
            r = shadow_region(&f->m->shadow, f->w, f->page);
        }
    }
    r = shadow_region_make(&f->m->shadow, f->w, f->page);
    if (!r)
        return false;
    for (unsigned half = first; half <= last; half++)
        r->pde[half] = f->pde;
    return true;
}

/* Makes [p, p + *n) as wanted, *n being as many pages as one host call can do. */
static bool apply_run(struct fill *f, uint32_t p, uint32_t *n) {
    uint32_t wanted = *want(f, p), now = current(f, p);
    bool same_frame = now && ((now ^ wanted) & (SE_FRAME | SE_NX)) == 0;
    uint32_t end = p + 1;

    if (same_frame && !(now & SE_D) && (wanted & SE_D)) {
        while (end < f->end && continues(*want(f, end - 1), *want(f, end)) &&
               continues(current(f, end - 1), current(f, end)) &&
               ((current(f, end) ^ *want(f, end)) & (SE_FRAME | SE_NX)) == 0)
            end++;
        *n = end - p;
        return window_allow_write(f->m, f->w, p, *n, wanted);
    }
    while (end < f->end && continues(*want(f, end - 1), *want(f, end)) &&
           current(f, end) != *want(f, end))
        end++;
    *n = end - p;
    return window_map(f->m, f->w, p, *n, wanted);
}

static bool apply(struct fill *f, bool force) {
    for (uint32_t p = f->first, n; p < f->end; p += n) {
        n = 1;
        bool done = current(f, p) == *want(f, p) && !(force && p == f->page);
        if (*want(f, p) == 0 || done)
            continue;
        if (!apply_run(f, p, &n))
            return false;
    }
    return true;
}

/* The most mappings that making [first, end) as wanted can add. */
static unsigned cost(struct fill *f) {
    unsigned runs = 1;
    for (uint32_t p = f->first + 1; p < f->end; p++)
        runs += !continues(*want(f, p - 1), *want(f, p));
    return 2 * runs;
}

static void plan(struct fill *f, const struct gwalk *w) {
    if (w->shift == 32) {
        f->first = f->page & ~(REGION_PAGES - 1);
        f->end = f->first + REGION_PAGES;
        f->pde = 0;
        want_run(f, (gpa_t)f->first << PAGE_SHIFT, SE_P | SE_A | SE_RW | SE_G, true);
        return;
    }
    f->pde_user = w->pde & PTE_US;
    f->pde_write = w->pde & PTE_RW;
    f->pde = (uint32_t)w->pde & (PTE_FRAME | PTE_P | PTE_RW | PTE_US | PTE_A);
    if (f->w->nx && (w->pde & PTE_NX))
        f->pde |= SE_NX;
    if (w->shift == PAGE_SHIFT) {
        uint32_t pages = gwalk_pae(f->v) ? HALF_PAGES : REGION_PAGES;
        const uint8_t *table =
            memmap_ptr(&f->m->vm->mem, w->pde & PTE_FRAME & f->m->vm->mem.cpu_mask);
        if (!table)
            host_panic("mmu: a page of RAM came from a table that is not memory");
        want_small(f, table, f->page & ~(pages - 1), pages);
        return;
    }
    uint32_t pages = 1u << (w->shift - PAGE_SHIFT);
    bool writable = w->dirty && gwalk_may_write(f->v, w->write, f->user);
    f->m->wp_override |= writable && !w->write;
    f->first = f->page & ~(pages - 1);
    f->end = f->first + pages;
    f->pde |= (uint32_t)w->pde & (PTE_PS | PTE_D);
    f->pde |= SE_LARGE;
    want_run(f, w->gpa & ~(gpa_t)((1u << w->shift) - 1),
             SE_P | SE_A | SE_LARGE | (f->pde & (PTE_US | PTE_RW)) |
                 (w->global && !f->user ? SE_G : 0),
             writable);
}

/* A window that is larger than it ever was has not paid for that: what it has can serve for long.
 */
static void refund(struct window *w, int64_t credit) {
    if (w->mapped <= w->most_mapped)
        return;
    w->most_mapped = w->mapped;
    w->credit = credit;
}

static enum mmu_fault fill(struct vcpu *v, struct window *w, gla_t gla, const struct gwalk *walk,
                           bool force) {
    struct fill f = {.v = v, .m = v->vm->mmu, .w = w, .user = w->user, .page = gla >> PAGE_SHIFT};

    for (unsigned attempt = 0; attempt < 2; attempt++) {
        uint64_t evicted;
        do { /* making room at w's own expense changes the plan */
            evicted = f.m->stats.windows_evicted;
            plan(&f, walk);
            if (!window_make_room(f.m, w, f.page, cost(&f)))
                return MMU_FAULT_CHECKED;
        } while (f.m->stats.windows_evicted != evicted);
        if (!adopt_region(&f))
            return MMU_FAULT_CHECKED;
        plan(&f, walk);
        if (apply(&f, force)) {
            if (LOG_ON(LOG_MMU))
                host_log("mmu: fill %s window %08x: pages %05x-%05x, entry %08x",
                         w->user ? "user" : "kernel", gla, f.first, f.end - 1, current(&f, f.page));
            return MMU_FAULT_RETRY;
        }
        window_drop_everything(f.m);
    }
    return MMU_FAULT_CHECKED;
}

/* -- entry points -- */

/* May the window show this page at all? */
static bool fits(struct vcpu *v, const struct window *w, const struct gwalk *walk) {
    const struct memmap *mem = &v->vm->mem;
    bool foreign = !w->user && gwalk_paging(v) && walk->user && v->vm->mmu->many_cr3;
    /* a table outside memory reads as ones, which is the frame of a boot ROM's end */
    bool table =
        walk->shift != PAGE_SHIFT || memmap_ptr(mem, walk->pde & PTE_FRAME & mem->cpu_mask);
    return !foreign && table && memmap_ptr(mem, walk->gpa);
}

static enum mmu_fault window_fault(struct vcpu *v, gla_t gla, unsigned access, gpa_t *gpa) {
    struct mmu *m = v->vm->mmu;
    const struct memmap *mem = &v->vm->mem;
    bool user = vcpu_user(v), write = access & MMU_W;
    struct window *w = window_of_view(v, user);
    struct gwalk walk;

    if (!w)
        return MMU_FAULT_CHECKED;
    int64_t credit = w->credit;
    m->stats.window_faults++;
    window_pays(m, w);
    if (!gwalk_access(v, gla, access | (user ? MMU_USER : 0), &walk)) {
        m->stats.guest_faults++;
        revalidate_page(v, w, gla);
        vcpu_raise_pf(v, gla, walk.error);
        return MMU_FAULT_GUEST;
    }
    if (!fits(v, w, &walk) || (write && memmap_kind(mem, walk.gpa) == MEM_ROM))
        return MMU_FAULT_CHECKED;
    if (window_churns(m, w, gla >> PAGE_SHIFT))
        return MMU_FAULT_CHURNS;
    if (write && (mem->frame_flags[walk.gpa >> PAGE_SHIFT] & FRAME_CODE)) {
        *gpa = walk.gpa;
        return MMU_FAULT_CODE_WRITE;
    }
    enum mmu_fault result = fill(v, w, gla, &walk, true);
    refund(w, credit);
    return result;
}

enum mmu_fault mmu_window_fault(struct vcpu *v, gla_t gla, bool write, gpa_t *gpa) {
    return window_fault(v, gla, write ? MMU_W : MMU_R, gpa);
}

enum mmu_fault mmu_window_fetch(struct vcpu *v, gla_t gla) {
    gpa_t gpa;

    return window_fault(v, gla, MMU_X, &gpa);
}

void mmu_prefill(struct vcpu *v, gla_t gla) {
    bool user = vcpu_user(v);
    struct window *w = window_of_view(v, user);
    struct gwalk walk;
    bool accessed;

    if (!w || !gwalk_peek(v, gla, MMU_R | (user ? MMU_USER : 0), &walk, &accessed) || !accessed ||
        !fits(v, w, &walk) || window_churns(v->vm->mmu, w, gla >> PAGE_SHIFT))
        return;
    uint32_t now = shadow_entry(&v->vm->mmu->shadow, w, gla >> PAGE_SHIFT);
    int64_t credit = w->credit;
    if (!now || (!(now & SE_D) && walk.dirty))
        fill(v, w, gla, &walk, false);
    refund(w, credit);
}
