/*
 * The windows' tables and the reverse map. See shadow.h for the shape.
 *
 * Invariants: region 0 of the pool stays all zero, so that absent regions read as unmapped. A page
 * is in its frame's chain exactly when its entry has SE_P. breaks counts the pages p at which the
 * host mapping of p cannot be the continuation of that of p - 1.
 */
#include "mmu/shadow.h"

#include "host/host.h"

bool shadow_create(struct shadow *s, uint64_t frames) {
    s->pool = host_alloc(REGION_POOL * sizeof *s->pool);
    s->chain = host_alloc(frames * sizeof *s->chain);
    s->frames = frames;
    if (!s->pool || !s->chain)
        return false;
    s->free = 1;
    return true;
}

/* The free list ends in the regions that were never used, which follow each other in the pool; they
 * are all zero and stay untouched until needed. */
static struct region *take(struct shadow *s) {
    if (s->free >= REGION_POOL)
        return NULL;
    struct region *r = &s->pool[s->free];
    s->free = r->next_free ? r->next_free : s->free + 1;
    r->next_free = 0;
    return r;
}

static void put_back(struct shadow *s, struct region *r) {
    r->next_free = s->free;
    s->free = (uint16_t)(r - s->pool);
}

static void bit_set(uint64_t *map, uint32_t i) {
    map[i / 64] |= 1ull << (i % 64);
}

static void bit_clear(uint64_t *map, uint32_t i) {
    map[i / 64] &= ~(1ull << (i % 64));
}

struct region *shadow_region_make(struct shadow *s, struct window *w, uint32_t page) {
    uint32_t index = page >> 10;
    if (w->region[index])
        return &s->pool[w->region[index]];
    struct region *r = take(s);
    if (!r)
        return NULL;
    r->window = w;
    r->index = (uint16_t)index;
    w->region[index] = (uint16_t)(r - s->pool);
    bit_set(w->present, index);
    return r;
}

static void release(struct shadow *s, struct window *w, struct region *r) {
    w->region[r->index] = 0;
    bit_clear(w->present, r->index);
    bit_clear(w->local, r->index);
    put_back(s, r);
}

/* Must a new host mapping begin at a page with entry b after one with entry a? */
static unsigned breaks_between(uint32_t a, uint32_t b) {
    if (!(a & SE_P) || !(b & SE_P))
        return (a ^ b) & SE_P;
    return ((b ^ (a + PAGE_SIZE)) & (SE_FRAME | SE_D | SE_NX)) != 0;
}

static uint32_t neighbour(const struct shadow *s, const struct window *w, uint32_t page, int by) {
    uint32_t other = page + (uint32_t)by;
    return other < WINDOW_PAGES ? shadow_entry(s, w, other) : 0;
}

static void chain_add(struct shadow *s, struct region *r, uint32_t i, uint32_t frame) {
    shadow_node node = (shadow_node)(r - s->pool) << 10 | i;
    shadow_node first = s->chain[frame];
    r->link[i].next = first;
    r->link[i].prev = 0;
    if (first)
        s->pool[first >> 10].link[first & (REGION_PAGES - 1)].prev = node;
    s->chain[frame] = node;
}

static void chain_remove(struct shadow *s, struct region *r, uint32_t i, uint32_t frame) {
    shadow_node next = r->link[i].next, prev = r->link[i].prev;
    if (next)
        s->pool[next >> 10].link[next & (REGION_PAGES - 1)].prev = prev;
    if (prev)
        s->pool[prev >> 10].link[prev & (REGION_PAGES - 1)].next = next;
    else
        s->chain[frame] = next;
}

static void count_page(struct window *w, struct region *r, uint32_t i) {
    bit_set(r->mapped, i);
    r->count++;
    w->mapped++;
}

static void uncount_page(struct window *w, struct region *r, uint32_t i) {
    bit_clear(r->mapped, i);
    r->count--;
    w->mapped--;
}

/* Keeps the bitmaps of pages that a CR3 load must look at. */
static void note_local(struct window *w, struct region *r, uint32_t i, bool local) {
    if (local == (r->local[i / 64] >> (i % 64) & 1))
        return;
    if (local) {
        bit_set(r->local, i);
        if (r->local_count++ == 0)
            bit_set(w->local, r->index);
    } else {
        bit_clear(r->local, i);
        if (--r->local_count == 0)
            bit_clear(w->local, r->index);
    }
}

void shadow_set(struct shadow *s, struct window *w, uint32_t page, uint32_t entry) {
    struct region *r = shadow_region(s, w, page);
    if (!r) {
        if (entry)
            host_panic("shadow_set: no region for page %x", page);
        return;
    }
    uint32_t i = page & (REGION_PAGES - 1);
    uint32_t old = r->entry[i];
    uint32_t before = i > 0 ? r->entry[i - 1] : neighbour(s, w, page, -1);
    uint32_t after = i < REGION_PAGES - 1 ? r->entry[i + 1] : neighbour(s, w, page, 1);

    w->breaks += breaks_between(before, entry) + breaks_between(entry, after);
    w->breaks -= breaks_between(before, old) + breaks_between(old, after);
    r->entry[i] = entry;
    if (old && (!entry || (old ^ entry) & SE_FRAME)) {
        chain_remove(s, r, i, old >> PAGE_SHIFT);
        uncount_page(w, r, i);
        old = 0;
    }
    if (entry && !old) {
        chain_add(s, r, i, entry >> PAGE_SHIFT);
        count_page(w, r, i);
    }
    note_local(w, r, i, entry && !(entry & SE_G));
    if (r->count == 0)
        release(s, w, r);
}

void shadow_clear(struct shadow *s, struct window *w) {
    for (uint32_t word = 0; word < REGIONS / 64; word++) {
        while (w->present[word]) {
            uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(w->present[word]);
            struct region *r = &s->pool[w->region[index]];
            for (uint32_t m = 0; m < REGION_PAGES / 64; m++) {
                while (r->mapped[m]) {
                    uint32_t i = m * 64 + (uint32_t)__builtin_ctzll(r->mapped[m]);
                    chain_remove(s, r, i, r->entry[i] >> PAGE_SHIFT);
                    r->entry[i] = 0;
                    uncount_page(w, r, i);
                }
            }
            memset(r->local, 0, sizeof r->local);
            r->local_count = 0;
            release(s, w, r);
        }
    }
    w->breaks = 0;
}

struct window *shadow_place(const struct shadow *s, shadow_node node, uint32_t *page) {
    const struct region *r = &s->pool[node >> 10];
    *page = (uint32_t)r->index << 10 | (node & (REGION_PAGES - 1));
    return r->window;
}
