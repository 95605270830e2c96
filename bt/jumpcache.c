/*
 * The jump cache: EIP to host code for indirect branches, one table per privilege view, indexed by
 * EIP's low 16 bits (MOVZX computes that without touching flags). What is filled is
 * logged, so that flushing costs that, not the table's size.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"

static struct jump_entry *entry_of(struct bt *bt, const struct block *b) {
    return &bt->jump_cache[key_user(b->key)][b->eip % JUMP_CACHE_ENTRIES];
}

static void flush_log(struct bt *bt, unsigned user, unsigned global) {
    const uint32_t *log = bt->jump_log[user][global];

    for (uint32_t k = 0; k < bt->jump_log_count[user][global]; k++)
        bt->jump_cache[user][log[k]] = (struct jump_entry){0, 0};
    bt->jump_log_count[user][global] = 0;
}

void jumpcache_fill(struct bt *bt, const struct block *b) {
    unsigned user = key_user(b->key), global = (b->key & KEY_GLOBAL) != 0;

    if (bt->jump_log_count[user][global] == JUMP_LOG)
        flush_log(bt, user, global);
    bt->jump_log[user][global][bt->jump_log_count[user][global]++] = b->eip % JUMP_CACHE_ENTRIES;
    *entry_of(bt, b) = (struct jump_entry){.minus_eip = 0u - b->eip, .host = b->host};
}

void jumpcache_drop(struct bt *bt, const struct block *b) {
    struct jump_entry *e = entry_of(bt, b);

    if (e->host == b->host)
        *e = (struct jump_entry){0, 0};
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
