/*
 * Which address spaces have a window of their own.
 */
#ifndef MMU_PROMOTE_H
#define MMU_PROMOTE_H

#include "mmu/mmu_priv.h"
#include "vmm/vcpu.h"

/* The window of the address space v->cr3, or NULL. */
struct window *promote_find(struct vcpu *v);
/* Gives the current address space a window now, if it has none (VM_FORM_DIRECT). */
void promote_at_once(struct vcpu *v);
/* Takes the window from the current address space if it costs more than it gives. */
void promote_reconsider(struct vcpu *v);
/* Would promote_reconsider() change nothing? */
static inline bool promote_settled(const struct mmu *m) {
    const struct window *w = m->current;

    return w && w == m->entered && w->credit >= 0;
}
/* Takes the window from its address space. */
void promote_release(struct mmu *m, struct window *w);
/* Forgets all address spaces. */
void promote_reset(struct mmu *m);

#endif
