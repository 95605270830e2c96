/*
 * The jump cache: EIP to host code for indirect branches, one table per privilege view, indexed by
 * EIP's low 16 bits (MOVZX computes that without touching flags). Entries that a CR3 load may make
 * stale are logged, so that flushing costs what was filled, not the table's size.
 */
#include "bt/bt_priv.h"
#include "bt/key.h"

static struct jump_entry *entry_of(struct bt *bt, const struct block *b)
{
    return &bt->jump_cache[key_user(b->key)][b->eip % JUMP_CACHE_ENTRIES];
}

void jumpcache_fill(struct bt *bt, const struct block *b)
{
    unsigned user = key_user(b->key);

    if (!(b->key & KEY_GLOBAL)) {
        if (bt->jump_log_count[user] == JUMP_LOG)
            jumpcache_flush(bt, true);
        bt->jump_log[user][bt->jump_log_count[user]++] = b->eip % JUMP_CACHE_ENTRIES;
    }
    *entry_of(bt, b) = (struct jump_entry){.minus_eip = 0u - b->eip, .host = b->host};
}

void jumpcache_drop(struct bt *bt, const struct block *b)
{
    struct jump_entry *e = entry_of(bt, b);

    if (e->host == b->host)
        *e = (struct jump_entry){0, 0};
}

void jumpcache_flush(struct bt *bt, bool everything)
{
    for (unsigned user = 0; user < 2; user++) {
        struct jump_entry *cache = bt->jump_cache[user];
        if (everything) {
            memset(cache, 0, JUMP_CACHE_ENTRIES * sizeof *cache);
        } else {
            for (uint32_t k = 0; k < bt->jump_log_count[user]; k++)
                cache[bt->jump_log[user][k]] = (struct jump_entry){0, 0};
        }
        bt->jump_log_count[user] = 0;
    }
}
