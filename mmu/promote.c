/*
 * Which address spaces get a window for CPL 3. A child that forks, execs and ends within a few
 * milliseconds never repays its window's fills; an address space that is still there after some
 * ticks of run time does. Correctness does not depend on any of this.
 */
#include "mmu/promote.h"

#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/window.h"
#include "vmm/vm.h"

#define TICKS_TO_PROMOTE 2u
#define TICK_NS          1000000u /* calls closer together than this count once */

static uint32_t key(const struct vcpu *v) {
    return v->cr3 & (gwalk_pae(v) ? ~31u : PAGE_MASK);
}

/* The directory entry above gla without A, which comes and goes. */
static uint64_t pde_mark(const struct vcpu *v, gla_t gla) {
    gpa_t gpa;
    return gwalk_pde_gpa(v, gla, &gpa) ? gwalk_load(v, gpa) & ~(uint64_t)(PTE_A | PTE_D) : 0;
}

static struct space *find_space(struct mmu *m, uint32_t cr3) {
    struct space *oldest = &m->space[0];
    for (unsigned i = 0; i < SPACES; i++) {
        if (m->space[i].ticks > 0 && m->space[i].cr3 == cr3)
            return &m->space[i];
        if (m->space[i].used < oldest->used)
            oldest = &m->space[i];
    }
    *oldest = (struct space){.cr3 = cr3};
    return oldest;
}

/* A window slot for a new owner: never used, or made over from the longest unused. NULL: none. */
static struct window *find_slot(struct mmu *m) {
    struct window *oldest = NULL;
    for (unsigned i = 0; i < USER_WINDOWS; i++) {
        struct window *w = &m->user[i];
        if (!w->in_use && (w->host || window_create(w, true)))
            return w;
        if (w->in_use && (!oldest || w->used < oldest->used))
            oldest = w;
    }
    if (oldest)
        promote_release(m, oldest);
    return oldest;
}

void promote_release(struct mmu *m, struct window *w) {
    window_drop_all(m, w);
    w->in_use = false;
    if (m->current == w)
        m->current = NULL;
}

void promote_reset(struct mmu *m) {
    for (unsigned i = 0; i < USER_WINDOWS; i++)
        if (m->user[i].in_use)
            promote_release(m, &m->user[i]);
    memset(m->space, 0, sizeof m->space);
}

struct window *promote_find(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    for (unsigned i = 0; i < USER_WINDOWS; i++)
        if (m->user[i].in_use && m->user[i].cr3 == key(v))
            return &m->user[i];
    return NULL;
}

/* Gives the current address space a window. False: there is none to be had. */
static bool promote(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    struct window *w = find_slot(m);
    if (!w) {
        m->no_user_windows = true; /* the host has no address space for any, and will not have */
        return false;
    }
    w->in_use = true;
    w->cr3 = key(v);
    w->used = m->use_clock;
    m->current = w;
    m->stats.views_promoted++;
    window_select(v);
    if (LOG_ON(LOG_MMU))
        host_log("mmu: address space cr3 %08x gets a window", v->cr3);
    return true;
}

void promote_at_once(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;

    if (gwalk_paging(v) && m->kernel.host && !m->current)
        promote(v);
}

bool mmu_view_may_grow(const struct vcpu *v) {
    const struct mmu *m = v->vm->mmu;

    return gwalk_paging(v) && m->kernel.host && !m->current && !m->no_user_windows &&
           v->vm->form != VM_FORM_CHECKED;
}

bool mmu_view_tick(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    if (!mmu_view_may_grow(v))
        return false;

    struct space *s = find_space(m, key(v));
    uint64_t now = host_clock_ns();
    s->used = ++m->use_clock;
    if (s->ticks > 0 && now - s->tick_ns < TICK_NS)
        return false;
    s->tick_ns = now;
    if (s->ticks == 0 || pde_mark(v, s->mark_gla) != s->mark_pde) {
        s->ticks = 0;
        s->mark_gla = v->seg_base[SEG_SS] + v->gpr[ESP];
        s->mark_pde = pde_mark(v, s->mark_gla);
    }
    if (++s->ticks < TICKS_TO_PROMOTE)
        return false;

    s->ticks = 0;
    return promote(v);
}
