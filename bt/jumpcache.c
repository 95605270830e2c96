/*
 * The jump cache: EIP to host code for indirect branches, one table per privilege view, indexed by
 * EIP's low 16 bits (MOVZX computes that without touching flags). What is filled is
 * logged, so that flushing costs that, not the table's size.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"

/* Matches no EIP with this index. */
static void clear(const struct bt *bt, struct jump_cache *c, uint32_t index) {
    c->minus_eip[index] = index == 0;
    c->host[index] = 0;
    c->door[index] = (uint64_t)(uintptr_t)(bt->code.rx + bt->thunk_jump_miss);
}

static struct jump_cache *cache_of(struct bt *bt, const struct block *b) {
    return bt->jump_cache[key_user(b->key)];
}

bool jumpcache_create(struct bt *bt) {
    for (unsigned user = 0; user < 2; user++) {
        bt->jump_cache[user] = host_alloc_dense(sizeof *bt->jump_cache[user]);
        bt->jump_log[user][0] = host_alloc_dense(JUMP_LOG * sizeof(uint32_t));
        bt->jump_log[user][1] = host_alloc_dense(JUMP_LOG * sizeof(uint32_t));
        if (!bt->jump_cache[user] || !bt->jump_log[user][0] || !bt->jump_log[user][1])
            return false;
        for (uint32_t index = 0; index < JUMP_CACHE_ENTRIES; index++)
            clear(bt, bt->jump_cache[user], index);
    }
    return true;
}

static void flush_log(struct bt *bt, unsigned user, unsigned global) {
    const uint32_t *log = bt->jump_log[user][global];

    for (uint32_t k = 0; k < bt->jump_log_count[user][global]; k++)
        clear(bt, bt->jump_cache[user], log[k]);
    bt->jump_log_count[user][global] = 0;
}

void jumpcache_fill(struct bt *bt, const struct block *b) {
    unsigned user = key_user(b->key), global = (b->key & KEY_GLOBAL) != 0;
    uint32_t index = b->eip % JUMP_CACHE_ENTRIES;

    if (bt->jump_log_count[user][global] == JUMP_LOG)
        flush_log(bt, user, global);
    bt->jump_log[user][global][bt->jump_log_count[user][global]++] = index;
    cache_of(bt, b)->minus_eip[index] = 0u - b->eip;
    cache_of(bt, b)->host[index] = block_address(bt, b);
    cache_of(bt, b)->door[index] = entry_door(bt, b);
}

void jumpcache_drop(struct bt *bt, const struct block *b) {
    uint32_t index = b->eip % JUMP_CACHE_ENTRIES;

    if (cache_of(bt, b)->host[index] == block_address(bt, b))
        clear(bt, cache_of(bt, b), index);
}

void jumpcache_flush(struct bt *bt, bool everything) {
    for (unsigned user = 0; user < 2; user++) {
        flush_log(bt, user, 0);
        if (everything)
            flush_log(bt, user, 1);
    }
}

void jumpcache_use(struct bt *bt, uint32_t key) {
    unsigned user = key_user(key);

    key &= ~(KEY_GLOBAL | KEY_SINGLE); /* neither changes what an entry may lead to */
    if (bt->jump_key[user] == key)
        return;
    flush_log(bt, user, 0);
    flush_log(bt, user, 1);
    bt->jump_key[user] = key;
}
