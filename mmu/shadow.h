/*
 * What each window maps: for every window a two-level table by linear address, and over all windows
 * a reverse map from frame to the pages that show it.
 *
 *   struct window              struct region (4 MiB)
 *   region[gla >> 22] ------>  entry[gla >> 12 & 1023]   SE_* and the frame
 *   present, local: bitmaps    link[...]                 chain of all pages that show the frame
 *                              mapped, local: bitmaps
 *                              pde[half]                 directory entry each 2 MiB came from
 *
 * An entry keeps the guest entry's bits it relies on, in their own places, so that it is still good
 * exactly when ((guest ^ entry) & SE_RELIES(entry)) == 0, and with SE_NX, which stands elsewhere in
 * the guest's. With a large page the half's pde takes that role and its entries are not looked at.
 */
#ifndef MMU_SHADOW_H
#define MMU_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/x86.h"

struct host_window;
struct mmu;

#define SE_P         0x001u /* mapped */
#define SE_RW        0x002u /* writable, and by the guest entry's R/W (not by CR0.WP=0) */
#define SE_US        0x004u
#define SE_A         0x020u
#define SE_D         0x040u /* the host mapping is writable */
#define SE_G         0x100u /* survives CR3 loads */
#define SE_LARGE     0x200u /* from a large page */
#define SE_NX        0x400u /* the guest entry's NX, in windows that carry it (struct window) */
#define SE_FRAME     PAGE_MASK
#define SE_RELIES(e) (SE_FRAME | SE_P | SE_US | SE_A | ((e) & (SE_RW | SE_D)))

#define REGION_PAGES 1024u
#define HALF_PAGES   512u
#define REGIONS      1024u /* in a window */
#define REGION_POOL  4096u /* in all windows */
#define WINDOW_PAGES (1u << 20)

/* A place in the reverse map: region number << 10 | page in region; 0 ends a chain. */
typedef uint32_t shadow_node;

struct region {
    uint32_t entry[REGION_PAGES];
    struct {
        shadow_node next, prev; /* prev 0: first of its frame's chain */
    } link[REGION_PAGES];
    uint64_t mapped[REGION_PAGES / 64];
    uint64_t local[REGION_PAGES / 64]; /* mapped and not SE_G */
    uint32_t pde[2]; /* of each half: the bits relied on; SE_LARGE: it maps a large page */
    struct window *window;
    uint16_t index; /* in window->region */
    uint16_t count; /* pages mapped */
    uint16_t local_count;
    uint16_t next_free; /* free regions: the next one; 0 in regions that were never used */
};

struct window {
    struct host_window *host; /* NULL: not made (yet) */
    uint64_t base;
    bool user;
    bool nx;     /* pages are executable as the guest's entries say, for native user code */
    bool in_use; /* user windows: belongs to the address space cr3 */
    uint32_t cr3;
    uint64_t used;        /* use_clock when last current */
    int64_t credit;       /* ns that the host may spend on it (promote.c) */
    uint32_t mapped;      /* pages */
    uint32_t most_mapped; /* at a time, since it has its owner */
    uint32_t breaks;      /* places where a host mapping must begin or end: bounds their number */
    uint64_t present[REGIONS / 64];
    uint64_t local[REGIONS / 64]; /* regions with pages that are not global */
    uint16_t region[REGIONS];     /* number in the pool, 0: none */
};

struct shadow {
    struct region *pool; /* number 0 is not used */
    uint16_t free;       /* first free region, REGION_POOL: none left */
    shadow_node *chain;  /* by frame: first page that shows it */
    uint64_t frames;
};

bool shadow_create(struct shadow *s, uint64_t frames);

/* The entry of a page, 0 when it is not mapped. page: gla >> 12. */
static inline uint32_t shadow_entry(const struct shadow *s, const struct window *w, uint32_t page) {
    return s->pool[w->region[page >> 10]].entry[page & (REGION_PAGES - 1)];
}

/* The region of a page, or NULL. */
static inline struct region *shadow_region(const struct shadow *s, const struct window *w,
                                           uint32_t page) {
    uint16_t n = w->region[page >> 10];
    return n ? &s->pool[n] : (struct region *)0;
}

/* Is nothing mapped in this half (2 MiB)? */
static inline bool shadow_half_empty(const struct region *r, unsigned half) {
    uint64_t any = 0;
    for (unsigned i = 0; i < HALF_PAGES / 64; i++)
        any |= r->mapped[half * (HALF_PAGES / 64) + i];
    return !any;
}

/* The region of a page, made if there is none. NULL: the pool is empty. */
struct region *shadow_region_make(struct shadow *s, struct window *w, uint32_t page);

/* Writes entries; keeps bitmaps, counts, breaks and the reverse map. Entry 0 unmaps; a region that
 * becomes empty is freed. The page's region must exist for other entries. */
void shadow_set(struct shadow *s, struct window *w, uint32_t page, uint32_t entry);
/* Makes the window empty. */
void shadow_clear(struct shadow *s, struct window *w);

/* Walks a frame's chain: the first page that shows it, and the one after node. 0: none. */
static inline shadow_node shadow_first(const struct shadow *s, uint64_t frame) {
    return s->chain[frame];
}
static inline shadow_node shadow_next(const struct shadow *s, shadow_node node) {
    return s->pool[node >> 10].link[node & (REGION_PAGES - 1)].next;
}
struct window *shadow_place(const struct shadow *s, shadow_node node, uint32_t *page);

#endif
