/*
 * The software TLB that checked operands and C accesses share (struct soft_tlb in vmm/vcpu.h).
 */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/gwalk.h"
#include "vmm/vcpu.h"

/* hva of gla if the view's TLB allows the access (MMU_R, MMU_W), else NULL. */
static inline uint8_t *tlb_lookup(const struct vcpu *v, gla_t gla, bool user, bool write) {
    const struct soft_tlb *t = &v->tlb[user];
    unsigned i = gla >> PAGE_SHIFT & (SOFT_TLB_ENTRIES - 1);
    uint32_t tag = write ? t->wtag[i] : t->rtag[i];
    return tag == (gla & PAGE_MASK) ? (uint8_t *)(uintptr_t)(t->addend[i] + gla) : (uint8_t *)0;
}

/* Enters what a walk that set A (and D for a write) has found. Only RAM and ROM are entered. */
void tlb_fill(struct vcpu *v, gla_t gla, bool user, const struct gwalk *w);
void tlb_flush(struct vcpu *v);
/* As tlb_flush, whatever the tags held before: for a new or reset vCPU. */
void tlb_reset(struct vcpu *v);
/* INVLPG: forgets the page at gla in both views, all of it if it may be a large one. */
void tlb_flush_page(struct vcpu *v, gla_t gla);
/* The frame now holds translated code: no entry may write it. */
void tlb_protect_frame(struct vcpu *v, gpa_t gpa);

#endif
