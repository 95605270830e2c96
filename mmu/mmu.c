/*
 * The MMU's creation, and the events that make its caches follow the guest (Intel SDM vol. 3A
 * section 4.10.4: what CR3 loads, INVLPG and control-register changes invalidate).
 */
#include "mmu/mmu.h"

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/mmu_priv.h"
#include "mmu/promote.h"
#include "mmu/revalidate.h"
#include "mmu/tlb.h"
#include "mmu/window.h"
#include "vmm/vm.h"

/* With fewer mappings than this, windows would evict each other all the time. */
#define BUDGET_MIN 256u

/* What a call of the host is taken to cost before there was one. */
#define CALL_NS_AT_FIRST 1000u

/* Pages of kernel text that are write-protected together: an aligned group. */
#define PROTECT_GROUP 64u

/* A window that has lost this share of its pages at a CR3 load belongs to a dead address space. */
#define SUCCESSOR_PAGES 8u
#define SUCCESSOR_SHARE 4u /* at most 1/4 is left */

struct mmu *mmu_create(struct vm *vm) {
    struct mmu *m = host_alloc(sizeof *m);
    if (!m || !shadow_create(&m->shadow, vm->mem.span >> PAGE_SHIFT))
        return NULL;
    m->vm = vm;
    m->budget = host_window_budget();
    m->call_ns = CALL_NS_AT_FIRST;
    if (m->budget >= BUDGET_MIN)
        window_create(&m->kernel, false); /* without it all goes by checked operands */
    vm->mmu = m;
    tlb_reset(&vm->vcpu);
    window_select(&vm->vcpu);
    return m;
}

const struct mmu_stats *mmu_stats(const struct vm *vm) {
    return &vm->mmu->stats;
}

/* What makes all earlier translations meaningless when it changes; 0: no paging. */
static uint32_t paging_mode(const struct vcpu *v) {
    if (!gwalk_paging(v))
        return 0;
    return 1 | (gwalk_pae(v) ? 2 : 0) | (!gwalk_pae(v) && (v->cr4 & CR4_PSE) ? 4 : 0) |
           (gwalk_nx(v) ? 8 : 0);
}

/* The first time a second address space appears, user pages must leave the kernel window. */
static void note_cr3(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    if (m->many_cr3)
        return;
    if (!m->first_cr3_valid) {
        m->first_cr3_valid = true;
        m->first_cr3 = v->cr3;
    } else if (m->first_cr3 != v->cr3) {
        m->many_cr3 = true;
        window_drop_all(m, &m->kernel);
    }
}

/* Makes the address space v->cr3 current. */
static void select_space(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    struct window *w = promote_find(v);

    m->current = w;
    m->stale_count = 0; /* it is compared with the guest's tables as a whole */
    if (!w)
        return;
    w->used = m->use_clock;
    uint32_t before = w->mapped;
    revalidate_window(v, w, true);
    if (before >= SUCCESSOR_PAGES && w->mapped <= before / SUCCESSOR_SHARE)
        promote_release(m, w);
}

void mmu_cr3_loaded(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;

    m->stats.cr3_loads++;
    m->use_clock++;
    tlb_flush(v);
    if (gwalk_paging(v)) {
        note_cr3(v);
        revalidate_window(v, &m->kernel, !(v->cr4 & CR4_PGE));
        select_space(v);
        window_select(v);
    }
    bt_map_changed(v, false);
}

void mmu_mode_changed(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    uint32_t mode = paging_mode(v);
    bool wp = v->cr0 & CR0_WP;

    tlb_reset(v);
    if (mode != m->mode) {
        promote_reset(m);
        window_drop_everything(m);
        m->wp_override = false;
    }
    if (wp && m->wp_override) {
        window_drop_all(m, &m->kernel);
        m->wp_override = false;
    }
    m->mode = mode;
    if (mode) {
        note_cr3(v);
        revalidate_window(v, &m->kernel, true);
        if (m->current)
            revalidate_window(v, m->current, true);
    }
    window_select(v);
    bt_map_changed(v, true);
}

/* One more than fit: all of the window is looked at. */
static void note_stale(struct mmu *m, uint32_t page) {
    if (m->stale_count < STALE_PAGES)
        m->stale_page[m->stale_count] = page;
    m->stale_count++;
}

void mmu_invlpg(struct vcpu *v, gla_t gla) {
    struct mmu *m = v->vm->mmu;

    tlb_flush_page(v, gla);
    if (gwalk_paging(v)) {
        revalidate_page(v, &m->kernel, gla);
        if (m->current && m->stale_count <= STALE_PAGES)
            note_stale(m, gla >> PAGE_SHIFT);
    }
    bt_map_changed_page(v, gla);
}

void mmu_enter_user(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    unsigned n = m->stale_count;

    if (n == 0 && promote_settled(m)) /* as a rule */
        return;
    if (!m->current && (v->vm->form == VM_FORM_DIRECT || v->vm->form == VM_FORM_SHORT))
        promote_at_once(v);
    if (m->current)
        promote_reconsider(v);
    if (n == 0)
        return;
    m->stale_count = 0;
    if (!m->current || !gwalk_paging(v))
        return;
    if (n > STALE_PAGES)
        revalidate_window(v, m->current, true);
    else
        revalidate_pages(v, m->current, m->stale_page, n);
}

/* The pages to protect for the one at `page`: kernel text that runs where a large page maps it is
 * protected in groups, because more of it will run and hardly any is written. */
static uint32_t protect_group(const struct shadow *s, const struct window *w, uint32_t page,
                              bool text, uint32_t *n) {
    const uint32_t wanted = SE_D | SE_LARGE;
    uint32_t first = page, end = page + 1;

    if (text && !w->user) {
        while (first % PROTECT_GROUP && (shadow_entry(s, w, first - 1) & wanted) == wanted)
            first--;
        while (end % PROTECT_GROUP && (shadow_entry(s, w, end) & wanted) == wanted)
            end++;
    }
    *n = end - first;
    return first;
}

void mmu_protect_code(struct vm *vm, gpa_t gpa, gla_t gla) {
    struct mmu *m = vm->mmu;
    if (gpa >= vm->mem.span)
        return;
    uint64_t frame = gpa >> PAGE_SHIFT;
    if (vm->mem.frame_flags[frame] & FRAME_CODE)
        return;
    vm->mem.frame_flags[frame] |= FRAME_CODE;
    m->stats.code_protects++;
    tlb_protect_frame(&vm->vcpu, gpa);

    /* Protecting a page splits its mapping. When room must be made for that, or the host refuses,
     * pages go and the chain changes: begin again then. */
    struct shadow *s = &m->shadow;
    for (shadow_node n = shadow_first(s, frame); n;) {
        uint64_t dropped = m->stats.dropped_pages;
        uint32_t page;
        struct window *w = shadow_place(s, n, &page);
        if (shadow_entry(s, w, page) & SE_D) {
            if (!window_make_room(m, w, page, 2))
                window_drop_everything(m);
            else if (m->stats.dropped_pages == dropped) {
                uint32_t count;
                page = protect_group(s, w, page, page == gla >> PAGE_SHIFT, &count);
                window_write_protect(m, w, page, count);
            }
        }
        n = m->stats.dropped_pages == dropped ? shadow_next(s, n) : shadow_first(s, frame);
    }
}

void mmu_memory_changed(struct vm *vm) {
    tlb_flush(&vm->vcpu);
    window_drop_everything(vm->mmu);
}
