/*
 * Windows: each change is made to the host's mapping and to the shadow table in one place.
 *
 * Invariant: what the shadow says is mapped is exactly what the host maps, except that the host may
 * map less while one of these functions runs. A page never stays writable on the host when its
 * entry has lost SE_D: if the host will not change a mapping, the mapping goes, if need be the
 * window's all.
 */
#include "mmu/window.h"

#include "host/host.h"
#include "mmu/gwalk.h"
#include "vmm/vm.h"

#define WINDOW_BYTES (1ull << 32)

/* However quick calls have been, the next may take so long and count as a call. */
#define CALL_NS_MORE 1000u

bool window_create(struct window *w, bool user) {
    w->host = host_window_create();
    if (!w->host)
        return false;
    w->base = host_window_base(w->host);
    w->user = user;
    w->nx = user && host_window_nx();
    return true;
}

struct window *window_of_view(struct vcpu *v, bool user) {
    struct mmu *m = v->vm->mmu;
    if (user && gwalk_paging(v))
        return m->current;
    return m->kernel.host ? &m->kernel : (struct window *)0;
}

void window_select(struct vcpu *v) {
    for (unsigned user = 0; user < 2; user++) {
        const struct window *w = window_of_view(v, user);
        v->window_base[user] = w && v->vm->form != VM_FORM_CHECKED ? w->base : 0;
    }
}

/* -- budget -- */

/* An upper bound of the host mappings in use: a window with b breaks has at most b + 1. */
static unsigned mappings(struct mmu *m) {
    unsigned n = m->kernel.breaks;
    for (unsigned i = 0; i < USER_WINDOWS; i++)
        n += m->user[i].breaks;
    m->stats.mappings = n;
    if (n > m->stats.mappings_peak)
        m->stats.mappings_peak = n;
    return n;
}

/* The least valuable window that has anything in it: other address spaces' by age, then the current
 * one's, then the kernel's. */
static struct window *victim(struct mmu *m) {
    struct window *best = NULL;
    for (unsigned i = 0; i < USER_WINDOWS; i++) {
        struct window *w = &m->user[i];
        if (w->mapped > 0 && w != m->current && (!best || w->used < best->used))
            best = w;
    }
    if (!best && m->current && m->current->mapped > 0)
        best = m->current;
    if (!best && m->kernel.mapped > 0)
        best = &m->kernel;
    return best;
}

bool window_make_room(struct mmu *m, struct window *w, uint32_t page, unsigned more) {
    for (;;) {
        if (mappings(m) + more <= m->budget &&
            (shadow_region(&m->shadow, w, page) || m->shadow.free < REGION_POOL))
            return true;
        struct window *out = victim(m);
        if (!out)
            return false;
        if (LOG_ON(LOG_MMU))
            host_log("mmu: evict window %s cr3 %08x: %u pages, %u mappings in all",
                     out->user ? "user" : "kernel", out->cr3, out->mapped, mappings(m));
        m->stats.windows_evicted++;
        window_drop_all(m, out);
    }
}

/* -- pages not worth mapping -- */

#define CHURN_DROPS 8u
#define CHURN_NS    200000000u /* without a drop for so long, it is worth mapping again */

void window_note_churn(struct mmu *m, const struct window *w, uint32_t page) {
    struct churn *c = &m->churn[page % CHURN_SLOTS];

    if (w->user && host_user_can()) /* native code has no checked operands */
        return;
    if (c->page != page || c->w != w)
        *c = (struct churn){.w = w, .page = page};
    c->drops++;
    c->last_ns = host_clock_ns();
}

bool window_churns(const struct mmu *m, const struct window *w, uint32_t page) {
    const struct churn *c = &m->churn[page % CHURN_SLOTS];

    return c->page == page && c->w == w && c->drops >= CHURN_DROPS &&
           host_clock_ns() - c->last_ns < CHURN_NS;
}

/* -- changes -- */

/* The host was called for the window: how long such calls take tells what it costs. */
static void call_end(struct mmu *m, struct window *w, uint64_t start) {
    uint64_t most = 4 * m->call_ns + CALL_NS_MORE, ns = host_clock_ns() - start;

    if (ns > most) /* it was interrupted */
        ns = most;
    m->call_ns = (m->call_ns * 15 + ns) / 16;
    window_pays(m, w);
}

static void set_entries(struct mmu *m, struct window *w, uint32_t page, uint32_t n,
                        uint32_t entry) {
    for (uint32_t i = 0; i < n; i++)
        shadow_set(&m->shadow, w, page + i, entry + i * PAGE_SIZE);
}

bool window_map(struct mmu *m, struct window *w, uint32_t page, uint32_t n, uint32_t entry) {
    const struct region *r = shadow_region(&m->shadow, w, page);
    bool executable = !((entry | r->pde[page / HALF_PAGES & 1]) & SE_NX);

    m->stats.window_maps++;
    uint64_t start = host_clock_ns();
    bool done = host_window_map(w->host, page << PAGE_SHIFT, entry & SE_FRAME,
                                (uint64_t)n << PAGE_SHIFT, entry & SE_D, w->nx && executable);
    call_end(m, w, start);
    if (!done) {
        window_drop(m, w, page, n);
        return false;
    }
    set_entries(m, w, page, n, entry);
    return true;
}

static bool protect(struct mmu *m, struct window *w, uint32_t page, uint32_t n, bool writable) {
    m->stats.window_protects++;
    uint64_t start = host_clock_ns();
    bool done =
        host_window_protect(w->host, page << PAGE_SHIFT, (uint64_t)n << PAGE_SHIFT, writable);
    call_end(m, w, start);
    return done;
}

bool window_allow_write(struct mmu *m, struct window *w, uint32_t page, uint32_t n,
                        uint32_t entry) {
    if (!protect(m, w, page, n, true)) {
        window_drop(m, w, page, n);
        return false;
    }
    set_entries(m, w, page, n, entry);
    return true;
}

void window_write_protect(struct mmu *m, struct window *w, uint32_t page, uint32_t n) {
    if (!protect(m, w, page, n, false)) {
        window_drop(m, w, page, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        shadow_set(&m->shadow, w, page + i,
                   shadow_entry(&m->shadow, w, page + i) & ~(SE_D | SE_RW));
}

/* Unmapping all of a window merges mappings, so the host has no reason to refuse. */
static void unmap_all(struct mmu *m, struct window *w) {
    m->stats.window_unmaps++;
    m->stats.dropped_pages += w->mapped;
    if (!host_window_unmap(w->host, 0, WINDOW_BYTES))
        host_panic("mmu: the host will not unmap a window");
    shadow_clear(&m->shadow, w);
}

void window_drop(struct mmu *m, struct window *w, uint32_t page, uint32_t n) {
    m->stats.window_unmaps++;
    uint64_t start = host_clock_ns();
    bool done = host_window_unmap(w->host, page << PAGE_SHIFT, (uint64_t)n << PAGE_SHIFT);
    call_end(m, w, start);
    if (!done) {
        unmap_all(m, w);
        return;
    }
    for (uint32_t i = page; i < page + n; i++) {
        const struct region *r = shadow_region(&m->shadow, w, i);
        if (!r) {
            i |= REGION_PAGES - 1;
            continue;
        }
        if (r->entry[i & (REGION_PAGES - 1)]) {
            shadow_set(&m->shadow, w, i, 0);
            m->stats.dropped_pages++;
        }
    }
}

void window_drop_all(struct mmu *m, struct window *w) {
    if (w->mapped > 0)
        unmap_all(m, w);
}

void window_drop_everything(struct mmu *m) {
    window_drop_all(m, &m->kernel);
    for (unsigned i = 0; i < USER_WINDOWS; i++)
        window_drop_all(m, &m->user[i]);
}
