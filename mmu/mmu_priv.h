/*
 * The MMU's state, seen only inside mmu/.
 */
#ifndef MMU_MMU_PRIV_H
#define MMU_MMU_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/mmu.h"
#include "mmu/shadow.h"
#include "vmm/x86.h"

#define USER_WINDOWS 24u /* address spaces that have a window at the same time */
#define TLB_FILL_LOG 64u /* more TLB fills than this make a flush touch every entry */
#define CHURN_SLOTS  64u
#define SPACES       64u /* address spaces whose age is kept */

/* How old an address space without a window is (promote.c). */
struct space {
    uint32_t cr3;
    uint32_t ticks; /* mmu_view_tick calls it has seen */
    uint8_t losses; /* windows it has lost because they cost too much; with ticks 0: free entry */
    gla_t mark_gla; /* a user page it had at its first tick ... */
    uint64_t mark_pde; /* ... and the directory entry above it, to know a successor at this CR3 */
    uint64_t tick_ns;  /* host time of the last call that counted */
    uint64_t used;     /* value of use_clock at its last tick */
};

/* How often a page of a window was mapped in vain (window.c). */
struct churn {
    const struct window *w;
    uint32_t page;
    uint32_t drops;
    uint64_t last_ns; /* host time of the last one */
};

enum { STALE_PAGES = 64 };

struct mmu {
    struct vm *vm;
    struct mmu_stats stats;

    /* software TLB (tlb.c) */
    uint32_t tlb_fills;                /* entries made since the last flush */
    uint16_t tlb_filled[TLB_FILL_LOG]; /* the first of them: view << 15 | index */
    uint32_t tlb_large_lo;             /* linear range that entries from large pages lie in */
    uint32_t tlb_large_hi;

    /* windows (window.c) */
    struct shadow shadow;
    struct window kernel;
    struct window user[USER_WINDOWS];
    struct window *current;           /* the current address space's window for CPL 3, or NULL */
    const struct window *entered;     /* the last one that CPL 3 ran with */
    uint64_t tick_ns;                 /* host time of the last mmu_view_tick */
    uint64_t call_ns;                 /* what a call of the host for a window takes on average */
    uint32_t stale_page[STALE_PAGES]; /* pages of `current` to look at before CPL 3 runs again */
    unsigned stale_count;             /* more than STALE_PAGES: all of them */
    struct churn churn[CHURN_SLOTS];
    unsigned budget;    /* mappings all windows together may take */
    uint64_t use_clock; /* counts CR3 loads and ticks, for LRU */

    /* what the windows' contents were made under (mmu.c) */
    uint32_t mode;    /* paging_mode() of control registers */
    bool wp_override; /* the kernel window has pages writable only because of CR0.WP=0 */
    bool first_cr3_valid;
    bool no_user_windows; /* the host gives none */
    bool many_cr3;        /* the guest has used more than one CR3: it has address spaces */
    uint32_t first_cr3;

    struct space space[SPACES];

    uint32_t want[REGION_PAGES]; /* fill.c: the entries a fill wants in its region, 0: no opinion */
};

#endif
