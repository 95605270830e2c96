/* A hash table with chaining: string keys, FNV-1a hashes, inserts and look-ups. */
#include "lib/rt.h"

enum { BUCKETS = 1 << 13, ENTRIES = 20000, KEY_BYTES = 12 };

struct entry {
    struct entry *next;
    uint32_t uses;
    char key[KEY_BYTES];
};

static struct entry *bucket[BUCKETS];
static struct entry pool[ENTRIES];
static uint32_t pool_used;

static uint32_t fnv1a(const char *key) {
    uint32_t hash = 0x811C9DC5u;
    for (; *key != 0; key++)
        hash = (hash ^ (uint8_t)*key) * 0x01000193u;
    return hash;
}

static int equal(const char *a, const char *b) {
    while (*a != 0 && *a == *b)
        a++, b++;
    return *a == *b;
}

static uint32_t use(const char *key) {
    struct entry **head = &bucket[fnv1a(key) % BUCKETS], *e;
    for (e = *head; e != NULL; e = e->next)
        if (equal(e->key, key))
            return ++e->uses;
    if (pool_used == ENTRIES)
        return 0;
    e = &pool[pool_used++];
    for (uint32_t i = 0; i < KEY_BYTES; i++)
        e->key[i] = key[i];
    e->next = *head;
    *head = e;
    return e->uses = 1;
}

/* Count: thousands of keys used. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 7, sum = 0;
    for (uint32_t i = 0; i < count * 1000; i++) {
        uint32_t n = rt_random(&seed) % (ENTRIES + ENTRIES / 4);
        char key[KEY_BYTES] = "key";
        for (uint32_t j = 3; j < 10; j++, n /= 10)
            key[j] = (char)('0' + n % 10);
        sum = rt_mix(sum, use(key));
    }
    return sum;
}
