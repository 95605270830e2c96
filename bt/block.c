/*
 * The set of live translations: look-up by what they were made for, and the branches between them.
 * Chaining rewrites one 32-bit displacement (and, for a checked exit, the page id beside it), or
 * the whole jump where the target stands behind it; it is undone exactly when the target dies.
 */
#include "bt/bt_priv.h"
#include "bt/emit.h"

enum { OPCODE_MOV_IMM = 0xb8, OPCODE_JMP = 0xe9, OPCODE_JCC = 0x80, JMP_BYTES = 5 };

/* The buckets of a page's blocks stand together, as the blocks' code does: what runs in turn shares
 * the host's cache lines and TLB entries. */
static uint32_t bucket_of(uint32_t page, uint32_t gla, uint32_t key) {
    uint32_t group = (page * 0x9e3779b1u ^ key * 0xc2b2ae35u) >> 9;

    return (group * PAGE_BUCKETS + (gla & ~PAGE_MASK) * PAGE_BUCKETS / PAGE_SIZE) &
           (BLOCK_BUCKETS - 1);
}

struct block *block_find(struct bt *bt, uint32_t page, uint32_t gla, uint32_t eip, uint32_t key,
                         uint32_t cs_limit) {
    for (uint32_t n = bt->buckets[bucket_of(page, gla, key)].first; n; n = bt->blocks[n].next) {
        struct block *b = &bt->blocks[n];
        if (b->page == page && b->gla == gla && b->eip == eip && b->key == key &&
            b->cs_limit == cs_limit)
            return b;
    }
    return NULL;
}

/* Blocks that differ in CS's base or limit alone share a bucket, and the guest can make as many of
 * them as it likes: so that looking one up stays short, the oldest of a long chain goes. */
static void shorten_chain(struct bt *bt, const struct block_bucket *bucket) {
    uint32_t last = bucket->first;

    if (bucket->count <= BLOCK_CHAIN)
        return;
    while (bt->blocks[last].next)
        last = bt->blocks[last].next;
    block_kill(bt, &bt->blocks[last]);
}

void block_insert(struct bt *bt, struct block *b) {
    struct block_bucket *bucket = &bt->buckets[bucket_of(b->page, b->gla, b->key)];

    b->next = bucket->first;
    bucket->first = block_number(bt, b) & (BLOCK_NUMBERS - 1);
    bucket->count++;
    codepage_add_block(bt, b);
    shorten_chain(bt, bucket);
    bt->stats.blocks++;
    bt->stats.guest_bytes += b->length;
    bt->stats.host_bytes += b->host_size;
}

static void unhash(struct bt *bt, const struct block *b) {
    struct block_bucket *bucket = &bt->buckets[bucket_of(b->page, b->gla, b->key)];
    uint32_t number = block_number(bt, b), before = 0;

    for (uint32_t n = bucket->first; n != number; n = bt->blocks[n].next)
        before = n;
    if (before)
        bt->blocks[before].next = b->next;
    else
        bucket->first = b->next & (BLOCK_NUMBERS - 1);
    bucket->count--;
}

static struct block *exit_block(struct bt *bt, uint32_t number) {
    return &bt->blocks[number / BLOCK_EXITS];
}

static struct block_exit *exit_of(struct bt *bt, uint32_t number) {
    return &block_exits(bt, exit_block(bt, number))[number % BLOCK_EXITS];
}

static bool is_behind(const struct block *from, uint32_t target_offset) {
    return target_offset - (from->host + from->host_size) < TCACHE_ALIGN;
}

/* A jump to what stands right behind it, but for bytes that align it, becomes one NOP with them:
 * the processor had better not have to predict that. Such are many, since what runs in turn is
 * translated in turn. */
static const uint8_t long_nop[TCACHE_ALIGN][JMP_BYTES + TCACHE_ALIGN - 1] = {
    {0x0f, 0x1f, 0x44}, {0x66, 0x0f, 0x1f, 0x44}, {0x0f, 0x1f, 0x80}, {0x0f, 0x1f, 0x84}};

static bool is_nop(uint8_t opcode) {
    return opcode == 0x0f || opcode == 0x66;
}

/* Where the branch goes: host code of `from`, writable. */
static void set_branch(struct bt *bt, const struct block *from, const struct block_exit *x,
                       uint32_t target_offset, uint32_t minus_id) {
    uint8_t *code = bt_rw(bt, from->host);
    uint8_t *opcode = code + x->patch - 1;

    if (x->check)
        memcpy(code + x->check, &minus_id, sizeof minus_id);
    if (is_nop(*opcode))
        *opcode = OPCODE_JMP;
    if (*opcode == OPCODE_JMP && x->patch + 4u == from->host_size &&
        is_behind(from, target_offset)) {
        uint32_t pad = target_offset - from->host - from->host_size;
        memcpy(opcode, long_nop[pad], JMP_BYTES + pad);
        bt->stats.fallthroughs++;
        return;
    }
    emit_patch32(opcode + 1, bt_rw(bt, target_offset));
}

/* Where the n-th exit goes now. */
static uint32_t destination(struct bt *bt, const struct block *from, unsigned n) {
    const struct block_exit *x = &block_exits(bt, from)[n];

    return x->to ? block_entry(&bt->blocks[x->to]) : block_stub(from, n);
}

/* Of a block that ends in JCC; JMP the one that goes to what stands behind it should be JMP. Makes
 * it so for the n-th exit, the JCC, which is about to. */
static void turn_round(struct bt *bt, const struct block *from, unsigned n) {
    struct block_exit *taken = &block_exits(bt, from)[n], *next = taken + 1;
    uint8_t *opcode = bt_rw(bt, from->host) + taken->patch - 1;
    uint16_t patch = taken->patch;

    if (n + 1 == from->exit_count || taken->check || next->check || opcode[-1] != 0x0f ||
        (*opcode & 0xf0) != OPCODE_JCC || next->patch != patch + JMP_BYTES ||
        next->patch + 4u != from->host_size)
        return;
    *opcode ^= 1;
    taken->patch = next->patch;
    next->patch = patch;
    set_branch(bt, from, next, destination(bt, from, n + 1), 0);
}

void block_chain(struct bt *bt, struct block *from, unsigned n, struct block *to) {
    struct block_exit *x = &block_exits(bt, from)[n];
    uint32_t number = EXIT_NUMBER(block_number(bt, from), n);

    if (!x->patch || x->to)
        return;
    if (is_behind(from, block_entry(to)))
        turn_round(bt, from, n);
    set_branch(bt, from, x, block_entry(to), 0u - bt->pages[to->page].id);
    x->to = block_number(bt, to);
    x->prev_in = 0;
    x->next_in = to->incoming;
    if (to->incoming)
        exit_of(bt, to->incoming)->prev_in = number;
    to->incoming = number;
    bt->stats.chained++;
}

/* Where a PC thunk is to be called, the instruction that stands for it takes the place of the jump
 * to the call. False: what is called is none, or not the one it was. */
static bool replace_jump(struct bt *bt, const struct block *from, const struct block_exit *x) {
    const struct block *to = &bt->blocks[x->to];
    const uint8_t *thunk = codepage_bytes(bt, to->page) + (to->gla & ~PAGE_MASK);
    uint8_t *code = bt_rw(bt, from->host);
    const uint8_t *mov = code + x->door - PC_THUNK_INLINE_BYTES;

    if (to->length < PC_THUNK_BYTES || pc_thunk_register(thunk) != *mov - OPCODE_MOV_IMM)
        return false;
    memcpy(code + x->branch - 1, mov, PC_THUNK_INLINE_BYTES);
    return true;
}

void block_skip_check(struct bt *bt, struct block *from, unsigned n) {
    struct block_exit *x = &block_exits(bt, from)[n];

    if (!x->check || !x->to)
        return;
    if (x->pc_thunk && !replace_jump(bt, from, x))
        return;
    if (!x->pc_thunk)
        emit_patch32(bt_rw(bt, from->host + x->branch), bt_rw(bt, block_entry(&bt->blocks[x->to])));
    x->unchecked = true;
}

static void check_again(struct bt *bt, const struct block *from, struct block_exit *x) {
    if (x->unchecked) {
        uint8_t *branch = bt_rw(bt, from->host + x->branch);
        if (x->pc_thunk)
            branch[-1] = OPCODE_JMP;
        emit_patch32(branch, bt_rw(bt, from->host + x->door));
    }
    x->unchecked = false;
}

void block_check_chains(struct bt *bt, struct block *b) {
    for (uint32_t number = b->incoming; number; number = exit_of(bt, number)->next_in)
        check_again(bt, exit_block(bt, number), exit_of(bt, number));
    for (unsigned n = 0; n < b->exit_count; n++)
        check_again(bt, b, &block_exits(bt, b)[n]);
}

/* The target has died, with its list. */
static void unchain(struct bt *bt, uint32_t number) {
    const struct block *from = exit_block(bt, number);
    struct block_exit *x = exit_of(bt, number);

    check_again(bt, from, x);
    /* no page has id 1 */
    set_branch(bt, from, x, block_stub(from, number % BLOCK_EXITS), 0u - 1u);
    x->to = 0;
    bt->stats.unchained++;
}

/* Takes an exit off its target's list. Any number of blocks may go to one: no list is walked. */
static void forget_incoming(struct bt *bt, struct block_exit *x) {
    if (x->prev_in)
        exit_of(bt, x->prev_in)->next_in = x->next_in;
    else
        bt->blocks[x->to].incoming = x->next_in;
    if (x->next_in)
        exit_of(bt, x->next_in)->prev_in = x->prev_in;
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
            forget_incoming(bt, &block_exits(bt, b)[n]);
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
