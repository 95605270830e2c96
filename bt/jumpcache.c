/*
 * The jump cache: EIP to host code for indirect branches, one table per privilege view, indexed by
 * EIP's low 16 bits (MOVZX computes that without touching flags). What is filled is
 * logged, so that flushing costs that, not the table's size.
 *
 * All blocks of a table have one key. Kernels that save the FPU lazily toggle CR0.TS, and with it
 * their key, at every context switch. Once a key returns they get a second table, so that nothing
 * is flushed then.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"

/* Matches no EIP with this index. */
static void clear(const struct bt *bt, struct jump_cache *c, uint32_t index) {
    c->minus_eip[index] = index == 0;
    c->host[index] = 0;
    c->door[index] = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_jump_miss);
}

static bool create(const struct bt *bt, struct jump_table *t) {
    struct jump_cache *cache = host_alloc_dense(sizeof *cache);

    for (unsigned global = 0; global < 2; global++)
        t->log[global] = host_alloc_dense(JUMP_LOG * sizeof(uint32_t));
    if (!cache || !t->log[0] || !t->log[1])
        return false;
    for (uint32_t index = 0; index < JUMP_CACHE_ENTRIES; index++)
        clear(bt, cache, index);
    t->cache = cache;
    return true;
}

bool jumpcache_create(struct bt *bt) {
    return create(bt, &bt->jump[0]) && create(bt, &bt->jump[1]);
}

static void flush_log(const struct bt *bt, struct jump_table *t, unsigned global) {
    for (uint32_t k = 0; k < t->log_count[global]; k++)
        clear(bt, t->cache, t->log[global][k]);
    t->log_count[global] = 0;
}

void jumpcache_fill(struct bt *bt, const struct block *b) {
    struct jump_table *t = &bt->jump[key_user(b->key)];
    unsigned global = (b->key & KEY_GLOBAL) != 0;
    uint32_t index = b->eip % JUMP_CACHE_ENTRIES;

    if (t->log_count[global] == JUMP_LOG)
        flush_log(bt, t, global);
    t->log[global][t->log_count[global]++] = index;
    t->cache->minus_eip[index] = 0u - b->eip;
    t->cache->host[index] = block_address(bt, b);
    t->cache->door[index] = entry_door(bt, b);
}

static void drop(const struct bt *bt, struct jump_cache *c, const struct block *b) {
    uint32_t index = b->eip % JUMP_CACHE_ENTRIES;

    if (c && c->host[index] == block_address(bt, b))
        clear(bt, c, index);
}

void jumpcache_drop(struct bt *bt, const struct block *b) {
    bool user = key_user(b->key);

    drop(bt, bt->jump[user].cache, b);
    if (!user)
        drop(bt, bt->jump_spare.cache, b);
}

void jumpcache_flush(struct bt *bt, bool everything) {
    struct jump_table *const tables[] = {&bt->jump[0], &bt->jump[1], &bt->jump_spare};

    for (unsigned k = 0; k < sizeof tables / sizeof tables[0]; k++) {
        flush_log(bt, tables[k], 0);
        if (everything)
            flush_log(bt, tables[k], 1);
    }
}

static void swap(struct bt *bt) {
    struct jump_table other = bt->jump_spare;

    bt->jump_spare = bt->jump[0];
    bt->jump[0] = other;
}

/* What makes no difference to what an entry may lead to. */
static uint32_t table_key(uint32_t key) {
    return key & ~(uint32_t)(KEY_GLOBAL | KEY_SINGLE);
}

bool jumpcache_switch(struct bt *bt, uint32_t key) {
    unsigned user = key_user(key);

    key = table_key(key);
    if (bt->jump[user].key == key)
        return true;
    if (user || !bt->jump_spare.cache || bt->jump_spare.key != key)
        return false;
    swap(bt);
    return true;
}

void jumpcache_use(struct bt *bt, uint32_t key) {
    unsigned user = key_user(key);
    struct jump_table *t = &bt->jump[user];

    if (jumpcache_switch(bt, key))
        return;
    key = table_key(key);
    if (!user) {
        bool returns = bt->jump_key_before == key;

        bt->jump_key_before = t->key;
        if (returns && !bt->jump_spare.cache && !bt->no_jump_spare)
            bt->no_jump_spare = !create(bt, &bt->jump_spare);
        if (bt->jump_spare.cache)
            swap(bt);
    }
    flush_log(bt, t, 0);
    flush_log(bt, t, 1);
    t->key = key;
}
