/*
 * The set of live translations: look-up by what they were made for, and the branches between them.
 * Chaining rewrites one 32-bit displacement (and, for a checked exit, the page id beside it); it is
 * undone exactly when the target dies.
 */
#include "bt/bt_priv.h"
#include "bt/emit.h"

/* The buckets of a page's blocks stand together, as the blocks' code does: what runs in turn shares
 * the host's cache lines and TLB entries. */
static uint32_t bucket_of(uint32_t page, uint32_t gla, uint32_t key) {
    uint32_t group = (page * 0x9e3779b1u ^ key * 0xc2b2ae35u) >> 9;

    return (group * PAGE_BUCKETS + (gla & ~PAGE_MASK) * PAGE_BUCKETS / PAGE_SIZE) &
           (BLOCK_BUCKETS - 1);
}

struct block *block_find(struct bt *bt, uint32_t page, uint32_t gla, uint32_t eip, uint32_t key,
                         uint32_t cs_limit) {
    for (uint32_t n = bt->buckets[bucket_of(page, gla, key)]; n; n = bt->blocks[n].next) {
        struct block *b = &bt->blocks[n];
        if (b->page == page && b->gla == gla && b->eip == eip && b->key == key &&
            b->cs_limit == cs_limit)
            return b;
    }
    return NULL;
}

/* Blocks that differ in CS's base or limit alone share a bucket, and the guest can make as many of
 * them as it likes: so that looking one up stays short, the oldest of a long chain goes. */
static void shorten_chain(struct bt *bt, uint32_t head) {
    unsigned length = 1;
    uint32_t last = head;

    for (; bt->blocks[last].next; last = bt->blocks[last].next)
        length++;
    if (length > BLOCK_CHAIN)
        block_kill(bt, &bt->blocks[last]);
}

void block_insert(struct bt *bt, struct block *b) {
    uint32_t *head = &bt->buckets[bucket_of(b->page, b->gla, b->key)];

    b->next = *head;
    *head = block_number(bt, b);
    codepage_add_block(bt, b);
    shorten_chain(bt, *head);
    bt->stats.blocks++;
    bt->stats.guest_bytes += b->length;
    bt->stats.host_bytes += b->host_size;
}

static void unhash(struct bt *bt, struct block *b) {
    uint32_t *link = &bt->buckets[bucket_of(b->page, b->gla, b->key)];

    while (*link != block_number(bt, b))
        link = &bt->blocks[*link].next;
    *link = b->next;
}

static struct block_exit *exit_of(struct bt *bt, uint32_t number) {
    return &block_exits(bt, &bt->blocks[number / BLOCK_EXITS])[number % BLOCK_EXITS];
}

void block_chain(struct bt *bt, struct block *from, unsigned n, struct block *to) {
    struct block_exit *x = &block_exits(bt, from)[n];

    if (!x->patch || x->to)
        return;
    if (x->check) {
        uint32_t minus_id = 0u - bt->pages[to->page].id;
        memcpy(bt_rw(bt, x->check), &minus_id, 4);
    }
    emit_patch32(bt_rw(bt, x->patch), bt_rw(bt, to->host));
    x->to = block_number(bt, to);
    x->next_in = to->incoming;
    to->incoming = EXIT_NUMBER(block_number(bt, from), n);
    bt->stats.chained++;
}

static void unchain(struct bt *bt, uint32_t number) {
    static const uint32_t no_id = UINT32_MAX;
    struct block_exit *x = exit_of(bt, number);
    uint32_t stub = block_stub(&bt->blocks[number / BLOCK_EXITS], number % BLOCK_EXITS);

    if (x->check)
        memcpy(bt_rw(bt, x->check), &no_id, 4);
    emit_patch32(bt_rw(bt, x->patch), bt_rw(bt, stub));
    x->to = 0;
    x->next_in = 0;
    bt->stats.unchained++;
}

/* Takes exit `number` off its target's list of incoming branches. */
static void forget_incoming(struct bt *bt, uint32_t number, struct block_exit *x) {
    uint32_t *link = &bt->blocks[x->to].incoming;

    while (*link != number)
        link = &exit_of(bt, *link)->next_in;
    *link = x->next_in;
    x->to = 0;
}

void block_kill(struct bt *bt, struct block *b) {
    if (!b->page)
        return;
    bt->vm->vcpu.returns_stale = true;
    while (b->incoming) {
        uint32_t number = b->incoming;
        b->incoming = exit_of(bt, number)->next_in;
        unchain(bt, number);
    }
    for (unsigned n = 0; n < b->exit_count; n++)
        if (block_exits(bt, b)[n].to)
            forget_incoming(bt, EXIT_NUMBER(block_number(bt, b), n), &block_exits(bt, b)[n]);
    jumpcache_drop(bt, b);
    unhash(bt, b);
    codepage_drop_block(bt, b);
    b->page = 0;
    bt->stats.invalidated++;
}

struct block *block_at(struct bt *bt, uint32_t offset) {
    /* slots 1..BLOCKS-1 form the ring */
    uint32_t slots = BLOCKS - 1;
    uint32_t n = (bt->block_head + slots - bt->block_tail) % slots;
    uint32_t lo = 0, hi = n;
    struct block *found = NULL;

    if (n == 0)
        return NULL;
    /* order blocks by their distance from the tail's place in the cache */
    uint32_t base = bt->blocks[bt->block_tail].host, size = (uint32_t)bt->code.size;
    uint32_t want = (offset + size - base) % size;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct block *b = &bt->blocks[(bt->block_tail - 1 + mid) % slots + 1];
        if ((b->host + size - base) % size <= want) {
            found = b;
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (!found || offset < found->host || offset >= found->host + found->host_size)
        return NULL;
    return found;
}
