/*
 * Which address spaces get a window for CPL 3, and which lose it. A child that forks, execs and
 * ends within a few milliseconds never repays its window's fills; an address space that is still
 * there after some ticks of run time does.
 *
 * Others live long and still do not repay it: a shell that does nothing but fork has most of its
 * pages write-protected and written again for each child, and two processes that pass a byte to and
 * fro change windows all the time, where that is dear. So a window has a credit. Running with it
 * earns, calls of the host and its faults are paid, but for fills that make it larger than it was
 * at any time: those are made once. Whose credit is used up goes on in checked form, and must run
 * twice as long as the last time to get another.
 *
 * Correctness does not depend on any of this.
 */
#include "mmu/promote.h"

#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/window.h"
#include "vmm/vm.h"

#define TICKS_TO_PROMOTE 2u
#define TICK_NS          1000000u /* calls closer together than this count once */

#define CREDIT_NEW   10000000  /* ns: for the first fills */
#define CREDIT_MOST  100000000 /* a window with so much has proved itself */
#define EARN_MOST_NS 10000000  /* while the guest runs ticks are no further apart */
#define LOSSES_MOST  6u

static uint32_t key(const struct vcpu *v) {
    return v->cr3 & (gwalk_pae(v) ? ~31u : PAGE_MASK);
}

/* The directory entry above gla without A, which comes and goes. */
static uint64_t pde_mark(const struct vcpu *v, gla_t gla) {
    gpa_t gpa;
    return gwalk_pde_gpa(v, gla, &gpa) ? gwalk_load(v, gpa) & ~(uint64_t)(PTE_A | PTE_D) : 0;
}

static bool known(const struct space *s) {
    return s->ticks > 0 || s->losses > 0;
}

/* The entry for the current CR3, or NULL. */
static struct space *look_up(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    for (unsigned i = 0; i < SPACES; i++)
        if (known(&m->space[i]) && m->space[i].cr3 == key(v))
            return &m->space[i];
    return NULL;
}

/* One that is not in use, else the oldest. */
static struct space *oldest_space(struct mmu *m) {
    struct space *oldest = &m->space[0];
    for (unsigned i = 1; i < SPACES; i++) {
        struct space *s = &m->space[i];
        if (known(s) != known(oldest) ? known(oldest) : s->used < oldest->used)
            oldest = s;
    }
    return oldest;
}

/* The entry of the current address space, which is at CPL 3; new if what was known at this CR3 was
 * another's. */
static struct space *find_space(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    struct space *s = look_up(v);
    if (!s || pde_mark(v, s->mark_gla) != s->mark_pde) {
        gla_t stack = v->seg_base[SEG_SS] + v->gpr[ESP];
        s = s ? s : oldest_space(m);
        *s = (struct space){.cr3 = key(v), .mark_gla = stack, .mark_pde = pde_mark(v, stack)};
    }
    s->used = ++m->use_clock;
    return s;
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
    w->credit = CREDIT_NEW;
    w->most_mapped = 0;
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

/* A tick has come to it, so long after the last: a sample of what runs. Who is to lose its window
 * earns no more. */
static void earn(struct vcpu *v, uint64_t ns) {
    struct window *w = v->vm->mmu->current;

    if (w->credit < 0)
        return;
    w->credit += (int64_t)(ns < EARN_MOST_NS ? ns : EARN_MOST_NS);
    if (w->credit < CREDIT_MOST)
        return;
    w->credit = CREDIT_MOST;
    struct space *s = look_up(v);
    if (s)
        s->losses = 0;
}

void promote_reconsider(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    struct window *w = m->current;

    if (w != m->entered && host_window_switch_dear())
        window_pays(m, w);
    /* native code has no checked form */
    if (w->credit >= 0 || v->vm->form != VM_FORM_AUTO || host_user_can()) {
        m->entered = w;
        return;
    }
    struct space *s = find_space(v);
    if (s->losses < LOSSES_MOST)
        s->losses++;
    promote_release(m, w);
    window_select(v);
    m->stats.views_demoted++;
    if (LOG_ON(LOG_MMU))
        host_log("mmu: address space cr3 %08x loses its window, time %u", v->cr3, s->losses);
}

void mmu_view_give_up(struct vcpu *v) {
    struct window *w = v->vm->mmu->current;

    if (w && vcpu_user(v))
        w->credit = -1;
}

bool mmu_view_tick(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    uint64_t now = host_clock_ns(), since = now - m->tick_ns;

    m->tick_ns = now;
    if (!vcpu_user(v))
        return false;
    if (m->current)
        earn(v, since);
    if (!mmu_view_may_grow(v))
        return false;

    struct space *s = find_space(v);
    if (s->ticks > 0 && now - s->tick_ns < TICK_NS)
        return false;
    s->tick_ns = now;
    if (++s->ticks < TICKS_TO_PROMOTE << s->losses)
        return false;
    s->ticks = 0;
    return promote(v);
}
