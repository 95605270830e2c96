/*
 * Instructions whose direct form has faulted in a way that only the checked form can serve: MMIO,
 * user pages from the kernel, writes to pages with code. A lossy set: forgetting costs one fault.
 */
#include "bt/bt_priv.h"

static uint32_t slot_of(gla_t gla) {
    return (gla * 0x9e3779b1u) >> 18 & (HINTS - 1);
}

bool hint_get(const struct bt *bt, gla_t gla) {
    uint32_t s = slot_of(gla);

    return bt->hints[s] == gla + 1 || bt->hints[s ^ 1] == gla + 1;
}

void hint_set(struct bt *bt, gla_t gla) {
    uint32_t s = slot_of(gla);

    if (hint_get(bt, gla))
        return;
    /* two ways; the younger stays in the second */
    bt->hints[s ^ 1] = bt->hints[s];
    bt->hints[s] = gla + 1;
    bt->hint_count++;
}
