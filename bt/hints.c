/*
 * Instructions whose direct form has faulted in a way that only the checked form can serve: MMIO,
 * user pages from the kernel, writes to pages with code. A lossy set: forgetting costs one fault.
 *
 * And those that the guest takes so many faults at, page faults or divide errors, that looking
 * before each access is cheaper than the host's exception, which costs some thousand cycles.
 */
#include "bt/bt_priv.h"

/* So many faults at one instruction between so many kicks, which come every 10 ms or sooner. */
enum { FAULTS_BEFORE_CHECKED = 64, FAULT_KICKS = 2 };

static uint32_t slot_of(gla_t gla) {
    return (gla * 0x9e3779b1u) >> 18 & (HINTS - 1);
}

/* Pages without any are most: they are told by a bit, modulo 16 MiB. */
static uint32_t page_bit(gla_t gla) {
    return gla >> PAGE_SHIFT & (HINT_PAGES - 1);
}

bool hint_get(const struct bt *bt, gla_t gla) {
    uint32_t s = slot_of(gla), page = page_bit(gla);

    if (!(bt->hint_pages[page / 64] >> (page % 64) & 1))
        return false;
    return bt->hints[s] == gla + 1 || bt->hints[s ^ 1] == gla + 1;
}

void hint_set(struct bt *bt, gla_t gla) {
    uint32_t s = slot_of(gla), page = page_bit(gla);

    if (hint_get(bt, gla))
        return;
    bt->hint_pages[page / 64] |= 1ull << (page % 64);
    /* two ways; the younger stays in the second */
    bt->hints[s ^ 1] = bt->hints[s];
    bt->hints[s] = gla + 1;
}

bool hint_after_fault(struct bt *bt, gla_t gla) {
    struct fault_site *s = &bt->fault_sites[slot_of(gla) % FAULT_SITES];

    if (s->gla != gla || bt->kicks - s->kick > FAULT_KICKS)
        *s = (struct fault_site){.gla = gla, .kick = bt->kicks};
    return ++s->count >= FAULTS_BEFORE_CHECKED;
}
