/*
 * Pages of guest code: which translations a frame carries (for self-modifying code) and whether a
 * linear page still leads to the frame it was translated from (for chains across pages).
 *
 *   code_tlb[user][vpage % 8192]   id of the page's mapping, if known since the last flush
 *   page_buckets[hash(vpage)] -> code_page -> code_page ...      by linear page
 *   frame_pages[frame]        -> code_page -> code_page ...      by frame: aliases, other privilege
 */
#include "bt/bt_priv.h"
#include "bt/key.h"
#include "mmu/mmu.h"

/* What a fetch from outside memory reads. */
static const uint8_t open_bus_page[PAGE_SIZE] = {[0 ... PAGE_SIZE - 1] = 0xff};

static uint32_t bucket_of(uint32_t vpage) {
    return (vpage * 0x9e3779b1u) >> 19 & (CODE_PAGE_BUCKETS - 1);
}

void codepage_forget(struct bt *bt, bool user) {
    struct code_tlb_log *log = &bt->code_tlb_log[user];
    uint32_t *tlb = bt->vm->vcpu.code_tlb[user];

    if (log->count > CODE_TLB_LOG)
        memset(tlb, 0, sizeof bt->vm->vcpu.code_tlb[user]);
    else
        for (uint32_t k = 0; k < log->count; k++)
            tlb[log->slot[k]] = 0;
    log->count = 0;
}

static void remember(struct bt *bt, bool user, uint32_t slot, uint32_t page) {
    struct code_tlb_log *log = &bt->code_tlb_log[user];

    bt->vm->vcpu.code_tlb[user][slot] = bt->pages[page].id;
    bt->page_of_slot[user][slot] = page;
    if (log->count < CODE_TLB_LOG)
        log->slot[log->count] = (uint16_t)slot;
    if (log->count <= CODE_TLB_LOG)
        log->count++;
}

static void forget_all(struct bt *bt) {
    tcache_flush(bt);
    jumpcache_flush(bt, true);
    codepage_forget(bt, false);
    codepage_forget(bt, true);
    memset(bt->page_buckets, 0, CODE_PAGE_BUCKETS * sizeof *bt->page_buckets);
    for (uint32_t n = 1; n < bt->page_count; n++)
        if ((gpa_t)bt->pages[n].ppage << PAGE_SHIFT < bt->vm->mem.span)
            bt->frame_pages[bt->pages[n].ppage] = 0;
    links_reset(bt);
    bt->page_count = 1;
    bt->page_id = 1; /* nothing is left that holds an id: they never run out */
}

void codepage_make_room(struct bt *bt) {
    if (bt->page_count + 2 > CODE_PAGES)
        forget_all(bt);
}

static bool frame_is_ram(const struct bt *bt, uint32_t ppage) {
    return (gpa_t)ppage << PAGE_SHIFT < bt->vm->mem.span;
}

static uint32_t find_or_make(struct bt *bt, uint32_t vpage, uint32_t ppage, bool user,
                             bool global) {
    uint32_t *head = &bt->page_buckets[bucket_of(vpage)];

    for (uint32_t n = *head; n; n = bt->pages[n].next) {
        struct code_page *p = &bt->pages[n];
        if (p->vpage == vpage && p->ppage == ppage && p->user == user && p->global == global)
            return n;
    }
    uint32_t n = bt->page_count++;
    struct code_page *p = &bt->pages[n];
    *p = (struct code_page){.id = ++bt->page_id,
                            .vpage = vpage,
                            .ppage = ppage,
                            .next = *head,
                            .user = user,
                            .global = global};
    *head = n;
    if (frame_is_ram(bt, ppage)) {
        p->next_same_frame = bt->frame_pages[ppage];
        bt->frame_pages[ppage] = n;
    }
    return n;
}

const uint8_t *codepage_bytes(const struct bt *bt, uint32_t page) {
    const uint8_t *hva = memmap_ptr(&bt->vm->mem, (gpa_t)bt->pages[page].ppage << PAGE_SHIFT);

    return hva ? hva : open_bus_page;
}

uint32_t codepage_lookup(struct bt *bt, struct vcpu *v, gla_t gla) {
    const uint8_t *hva;
    gpa_t gpa;
    bool global;
    uint32_t vpage = gla >> PAGE_SHIFT;

    if (!mmu_fetch(v, gla & PAGE_MASK, &gpa, &hva, &global)) {
        /* the fault address is the instruction's, not the page's */
        if (v->exc.pending && v->exc.vector == VEC_PF)
            v->exc.cr2 = gla;
        return 0;
    }
    uint32_t n = find_or_make(bt, vpage, (uint32_t)(gpa >> PAGE_SHIFT), vcpu_user(v), global);
    remember(bt, vcpu_user(v), vpage % CODE_TLB_ENTRIES, n);
    links_enter(bt, v, n);
    return n;
}

uint32_t codepage_cached(const struct bt *bt, const struct vcpu *v, gla_t gla, bool user) {
    uint32_t slot = (gla >> PAGE_SHIFT) % CODE_TLB_ENTRIES;
    uint32_t n = bt->page_of_slot[user][slot];

    if (!v->code_tlb[user][slot] || bt->pages[n].vpage != gla >> PAGE_SHIFT)
        return 0;
    return n;
}

/* -- translations of a frame -- */

/* A block more on the frame that code page p leads to; and one less. A frame may have any number of
 * code pages, so none of this looks at them. */
static void count_up(struct bt *bt, const struct code_page *p) {
    if (frame_is_ram(bt, p->ppage))
        bt->frame_blocks[p->ppage]++;
    mmu_protect_code(bt->vm, (gpa_t)p->ppage << PAGE_SHIFT, p->vpage << PAGE_SHIFT);
}

static void count_down(struct bt *bt, const struct code_page *p) {
    if (frame_is_ram(bt, p->ppage) && --bt->frame_blocks[p->ppage] == 0)
        bt->vm->mem.frame_flags[p->ppage] &= (uint8_t)~FRAME_CODE;
}

void codepage_add_block(struct bt *bt, struct block *b) {
    struct code_page *p = &bt->pages[b->page];
    uint32_t n = block_number(bt, b);

    b->next_in_page = 0;
    b->prev_in_page = p->youngest;
    *(p->youngest ? &bt->blocks[p->youngest].next_in_page : &p->blocks) = n;
    p->youngest = n;
    count_up(bt, p);
    if (b->page2) {
        struct code_page *p2 = &bt->pages[b->page2];
        b->next_in_page2 = p2->crossers;
        p2->crossers = n;
        count_up(bt, p2);
    }
}

void codepage_drop_block(struct bt *bt, struct block *b) {
    struct code_page *p = &bt->pages[b->page];
    uint32_t before = b->prev_in_page, behind = b->next_in_page;

    *(before ? &bt->blocks[before].next_in_page : &p->blocks) = behind;
    *(behind ? &bt->blocks[behind].prev_in_page : &p->youngest) = before;
    count_down(bt, p);
    if (b->page2) {
        uint32_t *link = &bt->pages[b->page2].crossers;
        while (*link != block_number(bt, b))
            link = &bt->blocks[*link].next_in_page2;
        *link = b->next_in_page2;
        count_down(bt, &bt->pages[b->page2]);
    }
}

/* Kills the page's blocks that hold any byte of [from, to) of the frame. */
static bool kill_range(struct bt *bt, struct code_page *p, uint32_t from, uint32_t to) {
    bool any = false;
    uint32_t next;

    for (uint32_t n = p->blocks; n; n = next) {
        struct block *b = &bt->blocks[n];
        uint32_t start = b->gla & ~PAGE_MASK;
        next = b->next_in_page;
        if (start < to && start + b->length > from) {
            block_kill(bt, b);
            any = true;
        }
    }
    for (uint32_t n = p->crossers; n; n = next) {
        struct block *b = &bt->blocks[n];
        next = b->next_in_page2;
        if ((b->gla & ~PAGE_MASK) + b->length - PAGE_SIZE > from) {
            block_kill(bt, b);
            any = true;
        }
    }
    return any;
}

static bool kill_frame_range(struct bt *bt, uint32_t ppage, uint32_t from, uint32_t to) {
    bool any = false;

    for (uint32_t n = bt->frame_pages[ppage]; n; n = bt->pages[n].next_same_frame)
        any |= kill_range(bt, &bt->pages[n], from, to);
    return any;
}

bool codepage_kill_frame(struct bt *bt, uint32_t frame) {
    return kill_frame_range(bt, frame, 0, PAGE_SIZE);
}

bool bt_code_written(struct vm *vm, gpa_t gpa, uint64_t n) {
    struct bt *bt = vm->bt;
    bool any = false;

    while (n > 0 && gpa < vm->mem.span) {
        uint32_t from = (uint32_t)gpa & ~PAGE_MASK;
        uint32_t part = PAGE_SIZE - from < n ? PAGE_SIZE - from : (uint32_t)n;
        if (vm->mem.frame_flags[gpa >> PAGE_SHIFT] & FRAME_CODE)
            any |= kill_frame_range(bt, (uint32_t)(gpa >> PAGE_SHIFT), from, from + part);
        gpa += part;
        n -= part;
    }
    return any;
}

/* -- the linear map changed -- */

static void kill_page(struct bt *bt, struct code_page *p) {
    kill_range(bt, p, 0, PAGE_SIZE);
}

void codepage_kill(struct bt *bt, uint32_t page) {
    kill_page(bt, &bt->pages[page]);
}

void codepage_kill_at(struct bt *bt, gla_t gla) {
    uint32_t vpage = gla >> PAGE_SHIFT, at = gla & ~PAGE_MASK;

    for (uint32_t n = bt->page_buckets[bucket_of(vpage)]; n; n = bt->pages[n].next)
        if (bt->pages[n].vpage == vpage)
            kill_range(bt, &bt->pages[n], at, at + 1);
}

/* Chains into global pages are not checked as they run, so they are checked now. */
static void revalidate_global(struct bt *bt, struct vcpu *v, struct code_page *p) {
    if (!p->global || (!p->blocks && !p->crossers))
        return;
    int64_t gpa = mmu_fetch_probe(v, p->vpage << PAGE_SHIFT);
    if (gpa < 0 || (uint32_t)(gpa >> PAGE_SHIFT) != p->ppage)
        kill_page(bt, p);
}

void bt_map_changed(struct vcpu *v, bool global_too) {
    struct bt *bt = v->vm->bt;

    v->returns_stale = true;
    codepage_forget(bt, false);
    codepage_forget(bt, true);
    links_map_changed(bt);
    jumpcache_flush(bt, global_too);
    if (global_too)
        for (uint32_t n = 1; n < bt->page_count; n++)
            revalidate_global(bt, v, &bt->pages[n]);
}

void bt_map_changed_page(struct vcpu *v, gla_t gla) {
    struct bt *bt = v->vm->bt;
    uint32_t vpage = gla >> PAGE_SHIFT;

    v->returns_stale = true;
    v->code_tlb[0][vpage % CODE_TLB_ENTRIES] = 0;
    v->code_tlb[1][vpage % CODE_TLB_ENTRIES] = 0;
    for (uint32_t n = bt->page_buckets[bucket_of(vpage)]; n; n = bt->pages[n].next) {
        struct code_page *p = &bt->pages[n];
        if (p->vpage != vpage)
            continue;
        for (uint32_t k = p->blocks; k; k = bt->blocks[k].next_in_page)
            jumpcache_drop(bt, &bt->blocks[k]);
        if (p->group) { /* code anywhere may lead to it */
            codepage_forget(bt, true);
            links_map_changed(bt);
            jumpcache_flush(bt, false);
        }
        revalidate_global(bt, v, p);
    }
}
