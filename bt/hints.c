/*
 * Instructions whose direct form has faulted in a way that only the checked form can serve: MMIO,
 * user pages from the kernel, writes to pages with code. A lossy set: forgetting costs one fault.
 *
 * Those about a page whose mapping the guest changes all the time (mmu/window.h) are brief: the
 * same instruction may reach other pages by then, and will find out again if it does not.
 *
 * And those that the guest takes so many faults at, page faults or divide errors, that looking
 * before each access is cheaper than the host's exception, which costs some thousand cycles.
 */
#include "bt/bt_priv.h"

/* So many faults at one instruction within so long by bt->kick_ns. */
enum { FAULTS_BEFORE_CHECKED = 64, FAULTS_NS = 20000000 };
enum { BRIEF_NS = 500000000 };

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

static void forget(struct bt *bt, gla_t gla) {
    uint32_t s = slot_of(gla);

    for (unsigned way = 0; way < 2; way++)
        if (bt->hints[s ^ way] == gla + 1)
            bt->hints[s ^ way] = 0;
    codepage_kill_at(bt, gla);
}

static void forget_oldest(struct bt *bt) {
    forget(bt, bt->brief_hints[0].gla);
    bt->brief_count--;
    memmove(bt->brief_hints, bt->brief_hints + 1, bt->brief_count * sizeof *bt->brief_hints);
}

bool hint_set_brief(struct bt *bt, gla_t gla) {
    bool full = bt->brief_count == BRIEF_HINTS;

    if (hint_get(bt, gla))
        return true;
    if (full)
        forget_oldest(bt);
    bt->brief_hints[bt->brief_count++] = (struct brief_hint){gla, bt->kick_ns};
    hint_set(bt, gla);
    return !full;
}

void hint_expire(struct bt *bt) {
    while (bt->brief_count && bt->kick_ns - bt->brief_hints[0].since_ns >= BRIEF_NS)
        forget_oldest(bt);
}

bool hint_after_fault(struct bt *bt, gla_t gla) {
    struct fault_site *s = &bt->fault_sites[slot_of(gla) % FAULT_SITES];

    if (s->gla != gla || bt->kick_ns - s->since_ns > FAULTS_NS)
        *s = (struct fault_site){.gla = gla, .since_ns = bt->kick_ns};
    return ++s->count >= FAULTS_BEFORE_CHECKED;
}
