/*
 * Room for translations. The cache is a ring: blocks are laid down in order, and when the head
 * meets the oldest ones they are killed. A guest can therefore make the VMM translate again and
 * again, but not hold more than the cache.
 *
 *      thunks | ... free ... | tail: oldest ... newest | head: next block | ... free ... | stubs
 *
 * Their tables form a second ring in the same order, and the stubs of their exits a third: between
 * blocks that run in turn nothing stands that does not run.
 */
#include "bt/bt_priv.h"

/* Block 0 is never used. */
static uint32_t ring_next(uint32_t n) {
    return n + 1 == BLOCKS ? 0 : n + 1;
}

/* A ring's memory is asked for in stretches, half of one before `head` comes to it: an exception of
 * the host's for each fresh page would be a good part of translating. */
static void make_present(void *ring, uint32_t *present, size_t head, size_t size) {
    enum { STRETCH = 1 << 20 };
    size_t end = (head + STRETCH / 2 + STRETCH) & ~(size_t)(STRETCH - 1);

    if (end > size)
        end = size;
    if (__builtin_expect(end <= *present, 1))
        return;
    host_present((uint8_t *)ring + *present, end - *present);
    *present = (uint32_t)end;
}

static void make_heads_present(struct bt *bt) {
    struct present *p = &bt->present;

    make_present(bt->code.rw, &p->code, bt->head, bt->stubs_start);
    make_present(bt->code.rw, &p->stubs, bt->stub_head, bt->code.size);
    make_present(bt->tables, &p->tables, bt->table_head, bt->tables_size);
    make_present(bt->blocks, &p->blocks, bt->block_head * sizeof *bt->blocks,
                 BLOCKS * sizeof *bt->blocks);
}

static void drop_oldest(struct bt *bt) {
    block_kill(bt, &bt->blocks[bt->block_tail]);
    bt->block_tail = ring_next(bt->block_tail);
    if (bt->block_tail == 0)
        bt->block_tail = 1;
    bt->stats.flushes++;
}

static bool ring_empty(const struct bt *bt) {
    return bt->block_tail == bt->block_head;
}

struct block *tcache_reserve(struct bt *bt) {
    uint32_t next;

    /* what is left at a ring's end is wasted; blocks there are older than those at its start */
    if (bt->head + BLOCK_MAX_HOST_BYTES > bt->stubs_start) {
        while (!ring_empty(bt) && bt->blocks[bt->block_tail].host >= bt->head)
            drop_oldest(bt);
        bt->head = bt->blocks_start;
    }
    if (bt->table_head + BLOCK_MAX_TABLES > bt->tables_size) {
        while (!ring_empty(bt) && bt->blocks[bt->block_tail].table >= bt->table_head)
            drop_oldest(bt);
        bt->table_head = 0;
    }
    if (bt->stub_head + BLOCK_EXITS * STUB_BYTES > bt->code.size) {
        while (!ring_empty(bt) && bt->blocks[bt->block_tail].stubs >= bt->stub_head)
            drop_oldest(bt);
        bt->stub_head = bt->stubs_start;
    }
    while (!ring_empty(bt) &&
           (bt->blocks[bt->block_tail].host - bt->head < BLOCK_MAX_HOST_BYTES ||
            bt->blocks[bt->block_tail].table - bt->table_head < BLOCK_MAX_TABLES ||
            bt->blocks[bt->block_tail].stubs - bt->stub_head < BLOCK_EXITS * STUB_BYTES))
        drop_oldest(bt);
    next = ring_next(bt->block_head);
    if (next == 0)
        next = 1;
    if (next == bt->block_tail)
        drop_oldest(bt);
    make_heads_present(bt);
    return &bt->blocks[bt->block_head];
}

/* Code that runs often is worth an even place, all other had better be dense. What is hot is
 * translated in one go. */
static uint32_t alignment(const struct bt *bt, const struct block *b) {
    return heat_extends(bt, b) ? 16 : TCACHE_ALIGN;
}

void tcache_commit(struct bt *bt, const struct block *b) {
    uint32_t align = alignment(bt, b);

    bt->head += (b->host_size + align - 1) & ~(align - 1);
    bt->table_head += b->side_count * (uint32_t)sizeof(struct side_entry) +
                      b->exit_count * (uint32_t)sizeof(struct block_exit);
    /* one at least: the ring's order shows by the blocks' places in it */
    bt->stub_head += (b->exit_count ? b->exit_count : 1u) * STUB_BYTES;
    bt->block_head = ring_next(bt->block_head);
    if (bt->block_head == 0)
        bt->block_head = 1;
    if (bt->stats.cache_used < bt->head)
        bt->stats.cache_used = bt->head;
}

void tcache_flush(struct bt *bt) {
    while (!ring_empty(bt))
        drop_oldest(bt);
}
