/*
 * The VMM's own 4-level page tables (Intel SDM vol. 3A section 4.5).
 */
#ifndef HOST_RING0_PAGING_H
#define HOST_RING0_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "host/ring0/multiboot.h"

#define PTE_P     (1ull << 0)
#define PTE_RW    (1ull << 1)
#define PTE_US    (1ull << 2)
#define PTE_PWT   (1ull << 3)
#define PTE_PCD   (1ull << 4)
#define PTE_A     (1ull << 5)
#define PTE_D     (1ull << 6)
#define PTE_LARGE (1ull << 7)
#define PTE_G     (1ull << 8)
#define PTE_FRAME 0x000ffffffffff000ull

/* No-execute, or 0 where the CPU does not have it. */
extern uint64_t paging_nx;
/* WRGSBASE works. */
extern bool paging_has_fsgsbase;

/* Leaves the trampoline's tables for ones with the mappings of layout.h, and sets CR0 and CR4. */
void paging_init(const struct boot_info *info);

/* Where the entry of the 4 KiB page at `address` stands. make: tables that are missing are made.
 * NULL: there is none, or there is no memory for it. */
uint64_t *paging_entry(uint64_t address, bool make);
/* Maps one page. False: no memory for tables. */
bool paging_map(uint64_t address, uint64_t physical, uint64_t flags);

/* Unmaps the table that holds the entry of `address` and gives it back; entries must be dropped
 * from the TLB by the caller. Returns how many present entries it had. */
unsigned paging_drop_table(uint64_t address);

/* -- roots: page tables that show one window at 0, too -- */

/* Makes CR3 that of the window's root. Ring 0. */
void paging_use_root(uint64_t window);
/* Makes a window's four page directories, which stay, and a root that shows them at 0, too. False:
 * no memory. After all else that is mapped has its top entry. */
bool paging_make_root(uint64_t window);

/* Makes each page of the 4 GiB at `address` (a multiple of 4 GiB) a mapping of one frame. False: no
 * memory. */
bool paging_map_repeated(uint64_t address, uint64_t physical);

/* The mapping of a device's registers, not cached. NULL: no memory for tables. */
void *paging_map_device(uint64_t physical);

/* Makes the CPU forget the pages at n addresses. More than PAGING_INVALIDATE_MAX: everything that
 * is not global. From rings 0 and 1. */
enum { PAGING_INVALIDATE_MAX = 64 };
void paging_invalidate(const uint64_t *addresses, uint64_t n);
/* The ring 0 part of it. */
void paging_invalidate_now(const uint64_t *addresses, uint64_t n);

#endif
