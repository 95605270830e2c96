/*
 * Unchecked chains between pages of hot user code.
 *
 * A chain into another page compares code_tlb with the id that the page's mapping had (exits.c):
 * seven instructions and two more branches taken. The mapping can only have changed with the
 * linear map, and then code_tlb and what the jump cache has of such pages are empty, so that the
 * way to user code leads through codepage_lookup(). So hot pages that chain to each other form
 * groups, and chains within a group go straight to their targets. Before code of a
 * group is entered for the first time since the linear map changed, all its pages are looked up.
 * One that is mapped otherwise leaves the group: its chains are checked again.
 *
 * A page that has left several times does not join again: it belongs to one of several address
 * spaces that share the other pages, and would leave at each switch between them.
 */
#include "bt/bt_priv.h"
#include "mmu/mmu.h"

enum { LEFT_TOO_OFTEN = 4 };

static uint64_t *epoch_of(struct bt *bt, const struct code_page *p) {
    return &bt->group_epoch[p->group];
}

/* The page's chains become checked ones, those to it as well. */
static void check_chains(struct bt *bt, const struct code_page *p) {
    for (uint32_t n = p->blocks; n; n = bt->blocks[n].next_in_page)
        block_check_chains(bt, &bt->blocks[n]);
}

/* Takes the page at place k off the list; the last one takes its place. */
static void remove_at(struct bt *bt, unsigned k) {
    bt->pages[bt->linked[k]].group = 0;
    bt->linked[k] = bt->linked[--bt->linked_count];
}

void links_enter(struct bt *bt, struct vcpu *v, uint32_t page) {
    const struct code_page *entered = &bt->pages[page];
    unsigned group = entered->group;

    if (!group || *epoch_of(bt, entered) == bt->map_epoch)
        return;
    bt->group_epoch[group] = bt->map_epoch;
    for (unsigned k = 0; k < bt->linked_count;) {
        struct code_page *p = &bt->pages[bt->linked[k]];
        int64_t gpa = p->group == group ? mmu_fetch_probe(v, p->vpage << PAGE_SHIFT) : 0;
        if (p->group == group && (gpa < 0 || (uint32_t)(gpa >> PAGE_SHIFT) != p->ppage)) {
            check_chains(bt, p);
            p->left++;
            remove_at(bt, k);
        } else {
            k++;
        }
    }
}

/* Room for one more. */
static bool make_room(struct bt *bt) {
    for (unsigned k = 0; k < bt->linked_count;) {
        if (!bt->pages[bt->linked[k]].blocks)
            remove_at(bt, k);
        else
            k++;
    }
    return bt->linked_count < LINKED_PAGES;
}

/* A group without pages; 0: there is none. */
static unsigned free_group(const struct bt *bt) {
    bool used[LINK_GROUPS] = {true};

    for (unsigned k = 0; k < bt->linked_count; k++)
        used[bt->pages[bt->linked[k]].group] = true;
    for (unsigned group = 1; group < LINK_GROUPS; group++)
        if (!used[group])
            return group;
    return 0;
}

static bool add(struct bt *bt, uint32_t page, unsigned group) {
    struct code_page *p = &bt->pages[page];

    if (p->left >= LEFT_TOO_OFTEN || (bt->linked_count == LINKED_PAGES && !make_room(bt)))
        return false;
    p->group = (uint8_t)group;
    bt->linked[bt->linked_count++] = page;
    return true;
}

static void merge(struct bt *bt, unsigned from, unsigned to) {
    for (unsigned k = 0; k < bt->linked_count; k++)
        if (bt->pages[bt->linked[k]].group == from)
            bt->pages[bt->linked[k]].group = (uint8_t)to;
}

bool links_join(struct bt *bt, uint32_t a, uint32_t b) {
    struct code_page *p = &bt->pages[a], *q = &bt->pages[b];

    if (!p->group && !q->group) {
        unsigned group = free_group(bt);
        if (!group || !add(bt, a, group))
            return false;
        bt->group_epoch[group] = bt->map_epoch;
    }
    if (!p->group)
        return add(bt, a, q->group);
    if (!q->group)
        return add(bt, b, p->group);
    if (p->group != q->group)
        merge(bt, q->group, p->group);
    return true;
}

void links_map_changed(struct bt *bt) {
    bt->map_epoch++;
}

void links_reset(struct bt *bt) {
    while (bt->linked_count)
        remove_at(bt, 0);
}
