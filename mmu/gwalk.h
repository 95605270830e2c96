/*
 * The guest's page tables as the processor would walk them (Intel SDM vol. 3A sections 4.3-4.7).
 */
#ifndef MMU_GWALK_H
#define MMU_GWALK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vcpu.h"
#include "vmm/x86.h"

/* Bits of page-directory and page-table entries, SDM vol. 3A tables 4-4 to 4-6 and 4-8 to 4-11. */
#define PTE_P     0x001u
#define PTE_RW    0x002u
#define PTE_US    0x004u
#define PTE_A     0x020u
#define PTE_D     0x040u
#define PTE_PS    0x080u /* page-directory entries: maps a large page */
#define PTE_G     0x100u
#define PTE_NX    (1ull << 63)
#define PTE_FRAME 0xfffff000u

/* Where a linear address leads. The entries are given as they stand in memory after the walk. */
struct gwalk {
    gpa_t gpa;      /* physical address of the byte */
    uint64_t pde;   /* page-directory entry */
    uint64_t leaf;  /* entry that maps the page: page-table entry, or pde for a large page */
    uint32_t error; /* when the walk failed: page-fault error code */
    uint8_t shift;  /* log2 of the page's size: 12, 21 (PAE large), 22 (large); 32: paging is off */
    bool user;      /* U/S of all levels together */
    bool write;     /* R/W of all levels together; CR0.WP not considered */
    bool global;    /* survives CR3 loads */
    bool dirty;     /* the leaf's D */
};

/* Translates gla for an access (MMU_*) as the processor does: checks rights, then sets A (and D for
 * a write) in the entries used. False: page fault, w->error holds its code; nothing was changed. */
bool gwalk_access(struct vcpu *v, gla_t gla, unsigned access, struct gwalk *w);

/* The same without changing anything. *accessed: all entries used have A set (and the leaf D for a
 * write), so that gwalk_access would not change anything either. */
bool gwalk_peek(const struct vcpu *v, gla_t gla, unsigned access, struct gwalk *w, bool *accessed);

/* Address of the page-directory entry for gla. Paging must be on. False: none, the PDPTE is not
 * present. */
bool gwalk_pde_gpa(const struct vcpu *v, gla_t gla, gpa_t *gpa);

/* One entry of a guest table, of 4 or (PAE) 8 bytes; all ones where there is no memory. */
uint64_t gwalk_load(const struct vcpu *v, gpa_t gpa);

static inline bool gwalk_paging(const struct vcpu *v) {
    return (v->cr0 & CR0_PG) != 0;
}

static inline bool gwalk_pae(const struct vcpu *v) {
    return (v->cr4 & CR4_PAE) != 0;
}

static inline bool gwalk_nx(const struct vcpu *v) {
    return gwalk_pae(v) && (v->efer & EFER_NXE);
}

/* May this view write the page, given the levels' combined R/W? SDM vol. 3A section 4.6.1. */
static inline bool gwalk_may_write(const struct vcpu *v, bool rw, bool user) {
    return rw || (!user && !(v->cr0 & CR0_WP));
}

#endif
