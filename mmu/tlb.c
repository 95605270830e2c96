/*
 * Software TLB. What it holds may be stale exactly as far as SDM vol. 3A section 4.10 lets a TLB
 * be.
 *
 * Invariants: wtag[i] valid implies rtag[i] is the same page; a valid wtag's frame is RAM without
 * FRAME_CODE and its page is dirty and writable in that view. Every entry that came from a large
 * page lies in [tlb_large_lo, tlb_large_hi] of struct mmu, so that INVLPG knows when to flush more.
 */
#include "mmu/tlb.h"

#include "host/host.h"
#include "mmu/mmu_priv.h"
#include "vmm/vm.h"

static unsigned index_of(gla_t gla) {
    return gla >> PAGE_SHIFT & (SOFT_TLB_ENTRIES - 1);
}

void tlb_fill(struct vcpu *v, gla_t gla, bool user, const struct gwalk *w) {
    struct mmu *m = v->vm->mmu;
    struct memmap *mem = &v->vm->mem;
    uint8_t *hva = memmap_ptr(mem, w->gpa & ~(gpa_t)(PAGE_SIZE - 1));
    if (!hva)
        return;

    struct soft_tlb *t = &v->tlb[user];
    unsigned i = index_of(gla);
    gla_t page = gla & PAGE_MASK;
    bool writable = w->dirty && gwalk_may_write(v, w->write, user) &&
                    memmap_kind(mem, w->gpa) == MEM_RAM &&
                    !(mem->frame_flags[w->gpa >> PAGE_SHIFT] & FRAME_CODE);

    t->rtag[i] = page;
    t->wtag[i] = writable ? page : SOFT_TLB_INVALID;
    t->addend[i] = (uint64_t)(uintptr_t)hva - page;
    if (m->tlb_fills < TLB_FILL_LOG)
        m->tlb_filled[m->tlb_fills] = (uint16_t)(user << 15 | i);
    if (m->tlb_fills <= TLB_FILL_LOG)
        m->tlb_fills++;
    if (w->shift > PAGE_SHIFT && w->shift < 32) {
        gla_t first = gla & ~((1u << w->shift) - 1), last = gla | ((1u << w->shift) - 1);
        if (first < m->tlb_large_lo)
            m->tlb_large_lo = first;
        if (last > m->tlb_large_hi)
            m->tlb_large_hi = last;
    }
    m->stats.tlb_fills++;
}

static void flush_all(struct vcpu *v) {
    for (unsigned view = 0; view < 2; view++) {
        for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
            v->tlb[view].rtag[i] = SOFT_TLB_INVALID;
        for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
            v->tlb[view].wtag[i] = SOFT_TLB_INVALID;
    }
}

void tlb_reset(struct vcpu *v) {
    v->vm->mmu->tlb_fills = TLB_FILL_LOG + 1;
    tlb_flush(v);
}

void tlb_flush(struct vcpu *v) {
    struct mmu *m = v->vm->mmu;
    if (m->tlb_fills > TLB_FILL_LOG)
        flush_all(v);
    else
        for (unsigned n = 0; n < m->tlb_fills; n++) {
            struct soft_tlb *t = &v->tlb[m->tlb_filled[n] >> 15];
            unsigned i = m->tlb_filled[n] & (SOFT_TLB_ENTRIES - 1);
            t->rtag[i] = t->wtag[i] = SOFT_TLB_INVALID;
        }
    v->tables_epoch++;
    m->tlb_fills = 0;
    m->tlb_large_lo = UINT32_MAX;
    m->tlb_large_hi = 0;
}

void tlb_flush_page(struct vcpu *v, gla_t gla) {
    struct mmu *m = v->vm->mmu;
    if (gla >= m->tlb_large_lo && gla <= m->tlb_large_hi) {
        tlb_flush(v);
        return;
    }
    unsigned i = index_of(gla);
    v->tables_epoch++;
    for (unsigned view = 0; view < 2; view++)
        if (v->tlb[view].rtag[i] == (gla & PAGE_MASK))
            v->tlb[view].rtag[i] = v->tlb[view].wtag[i] = SOFT_TLB_INVALID;
}

void tlb_protect_frame(struct vcpu *v, gpa_t gpa) {
    uint64_t hva = (uint64_t)(uintptr_t)v->vm->mem.ram + (gpa & ~(gpa_t)(PAGE_SIZE - 1));
    for (unsigned view = 0; view < 2; view++) {
        struct soft_tlb *t = &v->tlb[view];
        for (unsigned i = 0; i < SOFT_TLB_ENTRIES; i++)
            if (t->wtag[i] != SOFT_TLB_INVALID && t->addend[i] + t->wtag[i] == hva)
                t->wtag[i] = SOFT_TLB_INVALID;
    }
}
