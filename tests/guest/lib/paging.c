/* Identity page tables (SDM vol 3A, 4.3 32-bit paging, 4.4 PAE paging).
 *
 *   PAGE_TABLES:  directory | 16 tables   (32-bit: 16 x 4 MiB = 64 MiB)
 *                 PDPT | 4 directories | 32 tables   (PAE: 32 x 2 MiB, first directory used)
 */
#include "paging.h"
#include "cpu.h"
#include "layout.h"

enum { MEMORY_PAGES = 64 * 256, POOL_OFFSET = 0x80000 };

static uint32_t pool_next = PAGE_TABLES + POOL_OFFSET;

uint32_t paging_new_page(void) {
    uint32_t *page = (uint32_t *)pool_next;
    pool_next += 4096;
    for (int i = 0; i < 1024; i++)
        page[i] = 0;
    return (uint32_t)page;
}

uint32_t *paging_pde(uint32_t gla) {
    return (uint32_t *)PAGE_TABLES + (gla >> 22);
}

uint32_t *paging_new_space(uint32_t gla, uint32_t **table) {
    uint32_t *directory = (uint32_t *)paging_new_page();

    *table = (uint32_t *)paging_new_page();
    for (unsigned k = 0; k < 1024; k++)
        directory[k] = paging_pde(0)[k];
    directory[gla >> 22] = (uint32_t)*table | PTE_ALL;
    return directory;
}

uint32_t *paging_pte(uint32_t gla) {
    return (uint32_t *)(PAGE_TABLES + 4096) + (gla >> 12);
}

uint64_t *paging_pae_pde(uint32_t gla) {
    return (uint64_t *)(PAGE_TABLES + 4096) + (gla >> 21);
}

uint64_t *paging_pae_pte(uint32_t gla) {
    return (uint64_t *)(PAGE_TABLES + 5 * 4096) + (gla >> 12);
}

void paging_init(void) {
    for (uint32_t i = 0; i < 1024; i++)
        *paging_pde(i << 22) = 0;
    for (uint32_t i = 0; i < MEMORY_PAGES; i++)
        *paging_pte(i << 12) = i << 12 | PTE_ALL;
    for (uint32_t i = 0; i < MEMORY_PAGES; i += 1024)
        *paging_pde(i << 12) = (uint32_t)paging_pte(i << 12) | PTE_ALL;
    write_cr3(PAGE_TABLES);
    write_cr0(read_cr0() | CR0_PG);
}

void paging_init_pae(void) {
    uint64_t *pdpt = (uint64_t *)PAGE_TABLES;
    for (uint32_t i = 0; i < 512; i++)
        pdpt[i] = i < 4 ? (uint64_t)(PAGE_TABLES + (i + 1) * 4096) | PTE_P : 0;
    for (uint32_t i = 0; i < 4 * 512; i++)
        *paging_pae_pde(i << 21) = 0;
    for (uint32_t i = 0; i < MEMORY_PAGES; i++)
        *paging_pae_pte(i << 12) = i << 12 | PTE_ALL;
    for (uint32_t i = 0; i < MEMORY_PAGES; i += 512)
        *paging_pae_pde(i << 12) = (uint32_t)paging_pae_pte(i << 12) | PTE_ALL;
    write_cr4(read_cr4() | CR4_PAE);
    write_cr3(PAGE_TABLES);
    write_cr0(read_cr0() | CR0_PG);
}

void paging_set(uint32_t gla, uint32_t pte) {
    *paging_pte(gla) = pte;
    invlpg(gla);
}

void paging_pae_set(uint32_t gla, uint64_t pte) {
    *paging_pae_pte(gla) = pte;
    invlpg(gla);
}

void paging_flush(void) {
    write_cr3(read_cr3());
}

void paging_off(void) {
    write_cr0(read_cr0() & ~(CR0_PG | CR0_WP));
    write_cr4(0);
}
