/* Page tables: the boot address space maps all memory one to one in 4 KiB pages; tests change
 * single entries of it (SDM vol 3A, 4.3 and 4.4). */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PTE_P = 0x1,
    PTE_W = 0x2,
    PTE_U = 0x4,
    PTE_PWT = 0x8,
    PTE_PCD = 0x10,
    PTE_A = 0x20,
    PTE_D = 0x40,
    PTE_PS = 0x80,
    PTE_G = 0x100,
};
#define PTE_NX  (1ull << 63)
#define PTE_ALL (PTE_P | PTE_W | PTE_U) /* what the boot address space gives every page */

/* Builds the identity map of the first 64 MiB (present, writable, user; A and D clear) and turns
 * paging on. The caller runs on. */
void paging_init(void);

/* The same map in PAE form: 4 KiB pages. Turns CR4.PAE and paging on. */
void paging_init_pae(void);

/* The boot address space's page directory, and the table entry of `gla` in it. */
uint32_t *paging_pde(uint32_t gla);
uint32_t *paging_pte(uint32_t gla);
uint64_t *paging_pae_pde(uint32_t gla);
uint64_t *paging_pae_pte(uint32_t gla);

/* Sets the entry of `gla` and invalidates its translation. */
void paging_set(uint32_t gla, uint32_t pte);
void paging_pae_set(uint32_t gla, uint64_t pte);

/* Invalidates everything but global pages. */
void paging_flush(void);

/* Returns CR0 to paging off, CR4 to 0. */
void paging_off(void);

/* Zeroed page from a fixed pool above the boot page tables, for more tables. */
uint32_t paging_new_page(void);

/* A page directory that shares all tables with the boot one, but for the one at gla: a new, empty
 * one. */
uint32_t *paging_new_space(uint32_t gla, uint32_t **table);

#endif
