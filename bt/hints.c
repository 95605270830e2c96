/*
 * Instructions whose direct form has faulted in a way that only the checked form can serve: MMIO,
 * user pages from the kernel, writes to pages with code. A lossy set: forgetting costs one fault.
 *
 * And those that the guest takes so many faults at, page faults or divide errors, that looking
 * before each access is cheaper than the host's exception, which costs some thousand cycles.
 *
 * Hints about page faults, and those about a page whose mapping the guest changes all the time
 * (mmu/window.h), are brief: the same instruction may reach other pages by then (what fills fresh
 * memory goes on to work in it), and will find out again if it does not. Each time that it does,
 * the hint lasts longer.
 */
#include "bt/bt_priv.h"

/* So many faults at one instruction within so long by bt->kick_ns. */
enum { FAULTS_BEFORE_CHECKED = 64, FAULTS_NS = 20000000 };
/* How long a brief one lasts: at first; at most; twice as long as the last time if it comes back
 * within so many of that. */
enum { BRIEF_FIRST_NS = 30000000, BRIEF_MOST_NS = 480000000, COMES_BACK = 8 };

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

/* The n-th of these. */
static void forget_brief(struct bt *bt, struct brief_hints *of, unsigned n) {
    forget(bt, of->hint[n].gla);
    of->count--;
    memmove(of->hint + n, of->hint + n + 1, (of->count - n) * sizeof *of->hint);
}

/* Until when a brief hint for gla is to last. */
static uint64_t brief_end(struct bt *bt, gla_t gla) {
    struct brief_past *past = &bt->brief_pasts[slot_of(gla) % BRIEF_PASTS];
    /* it may have gone before its time */
    bool back = past->gla == gla && bt->kick_ns < past->until_ns + past->life_ns * COMES_BACK;
    uint64_t life = back ? past->life_ns * 2 : BRIEF_FIRST_NS;

    if (life > BRIEF_MOST_NS)
        life = BRIEF_MOST_NS;
    *past = (struct brief_past){.gla = gla, .life_ns = life, .until_ns = bt->kick_ns + life};
    return past->until_ns;
}

bool hint_set_brief(struct bt *bt, enum brief_kind kind, gla_t gla) {
    struct brief_hints *of = &bt->brief_hints[kind];
    bool full = of->count == BRIEF_HINTS;

    if (hint_get(bt, gla))
        return true;
    if (full)
        forget_brief(bt, of, 0);
    of->hint[of->count++] = (struct brief_hint){gla, brief_end(bt, gla)};
    hint_set(bt, gla);
    return !full;
}

static void expire(struct bt *bt, struct brief_hints *of) {
    for (unsigned n = 0; n < of->count;) {
        if (bt->kick_ns >= of->hint[n].until_ns)
            forget_brief(bt, of, n);
        else
            n++;
    }
}

void hint_expire(struct bt *bt) {
    for (unsigned kind = 0; kind < BRIEF_KINDS; kind++)
        expire(bt, &bt->brief_hints[kind]);
}

bool hint_after_fault(struct bt *bt, gla_t gla) {
    struct fault_site *s = &bt->fault_sites[slot_of(gla) % FAULT_SITES];

    if (s->gla != gla || bt->kick_ns - s->since_ns > FAULTS_NS)
        *s = (struct fault_site){.gla = gla, .since_ns = bt->kick_ns};
    return ++s->count >= FAULTS_BEFORE_CHECKED;
}
