/*
 * Comparing windows with the guest's tables as they are now, and dropping what has changed.
 */
#ifndef MMU_REVALIDATE_H
#define MMU_REVALIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/mmu_priv.h"
#include "vmm/vcpu.h"

/* Every page of the window (all) or only those that are not global. Paging must be on. */
void revalidate_window(struct vcpu *v, struct window *w, bool all);
/* The page at gla, and with it the rest of its large page. */
void revalidate_page(struct vcpu *v, struct window *w, gla_t gla);
/* The same for n pages, neighbours together. */
void revalidate_pages(struct vcpu *v, struct window *w, const uint32_t *pages, unsigned n);

/* Does a guest entry still give what a shadow entry or region pde relies on? */
bool revalidate_holds(const struct vcpu *v, const struct window *w, uint64_t guest,
                      uint32_t relied);

/* Directory halves that one page-directory entry covers: first and last half of gla's region. */
void revalidate_halves(const struct vcpu *v, gla_t gla, unsigned *first, unsigned *last);

#endif
