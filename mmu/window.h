/*
 * Windows: host mappings and shadow tables changed together, and the budget of mappings.
 */
#ifndef MMU_WINDOW_H
#define MMU_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/mmu_priv.h"
#include "vmm/vcpu.h"

/* Reserves the window's address space. False: the host has none left. */
bool window_create(struct window *w, bool user);

/* The window through which code of this view reaches memory, or NULL. Without paging both views
 * are the kernel window's. */
struct window *window_of_view(struct vcpu *v, bool user);
/* Sets v->window_base[] to what the current mode and address space have. */
void window_select(struct vcpu *v);

/* Kernels map one page after another at the same place and invalidate it after a few accesses
 * (kmap, early_ioremap), programs protect pages and allow writing again: a mapping costs more than
 * it saves. note: INVLPG has dropped the page or taken its right to write. churns: it has so often,
 * and of late, that the page is better reached by checked operands. */
void window_note_churn(struct mmu *m, const struct window *w, uint32_t page);
bool window_churns(const struct mmu *m, const struct window *w, uint32_t page);

/* What a call of the host, or a fault, for a window is taken to cost: faults are dearer than the
 * average call, and their time has been counted as running. */
#define WINDOW_CALL_COSTS 4

/* The host has been called or has faulted for the window (promote.c). */
static inline void window_pays(struct mmu *m, struct window *w) {
    if (w->credit >= 0)
        w->credit -= (int64_t)(WINDOW_CALL_COSTS * m->call_ns);
}

/* Makes sure that `more` mappings fit the budget and the region of `page` exists or can be made,
 * evicting whole windows where needed (also w). False: not even then. */
bool window_make_room(struct mmu *m, struct window *w, uint32_t page, unsigned more);

/* Maps pages [page, page+n) to frames that advance with them; entry is the first page's. The region
 * must exist. False: the host refused; the pages are unmapped. */
bool window_map(struct mmu *m, struct window *w, uint32_t page, uint32_t n, uint32_t entry);
/* Changes mapped pages with one host mapping's worth of entries to writable / read-only. */
bool window_allow_write(struct mmu *m, struct window *w, uint32_t page, uint32_t n, uint32_t entry);
void window_write_protect(struct mmu *m, struct window *w, uint32_t page, uint32_t n);
/* Unmaps what is mapped in [page, page+n). */
void window_drop(struct mmu *m, struct window *w, uint32_t page, uint32_t n);
void window_drop_all(struct mmu *m, struct window *w);
/* Empties every window. */
void window_drop_everything(struct mmu *m);

#endif
