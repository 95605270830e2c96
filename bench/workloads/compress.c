/* Compression: LZ77 with hash chains, then an adaptive binary range coder over the tokens (the
 * ingredients of most compressors), and a check that decoding gives the text back.
 *
 * The coder keeps a 32-bit interval [low, high] and narrows it at each bit by a 12-bit probability
 * (Witten, Neal, Cleary 1987, in its carry-free form).
 */
#include "lib/rt.h"

enum {
    TEXT_BYTES = 1 << 16,
    HASH_BITS = 13,
    CHAIN = 16,
    MIN_MATCH = 4,
    MAX_MATCH = 67, /* MIN_MATCH + 63 */
};

static uint8_t text[TEXT_BYTES], decoded[TEXT_BYTES], packed[TEXT_BYTES * 2];
static int32_t head[1 << HASH_BITS], previous[TEXT_BYTES];

struct coder {
    uint32_t low, high, value;
    uint8_t *p;
    uint16_t literal[256], kind, length[64], distance[16][2];
};

static void coder_begin(struct coder *c) {
    *c = (struct coder){.low = 0, .high = 0xFFFFFFFFu, .p = packed};
    uint16_t *all[] = {c->literal, c->length, &c->kind, c->distance[0]};
    const uint32_t size[] = {256, 64, 1, 32};
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < size[i]; j++)
            all[i][j] = 2048;
}

static void adapt(uint16_t *p, uint32_t bit) {
    if (bit)
        *p = (uint16_t)(*p + ((4096 - *p) >> 5));
    else
        *p = (uint16_t)(*p - (*p >> 5));
}

static void encode_bit(struct coder *c, uint16_t *p, uint32_t bit) {
    uint32_t middle = c->low + ((c->high - c->low) >> 12) * *p;
    if (bit)
        c->high = middle;
    else
        c->low = middle + 1;
    adapt(p, bit);
    while ((c->low ^ c->high) < 1u << 24) {
        *c->p++ = (uint8_t)(c->high >> 24);
        c->low <<= 8;
        c->high = c->high << 8 | 255;
    }
}

static uint32_t decode_bit(struct coder *c, uint16_t *p) {
    uint32_t middle = c->low + ((c->high - c->low) >> 12) * *p;
    uint32_t bit = c->value <= middle;
    if (bit)
        c->high = middle;
    else
        c->low = middle + 1;
    adapt(p, bit);
    while ((c->low ^ c->high) < 1u << 24) {
        c->value = c->value << 8 | *c->p++;
        c->low <<= 8;
        c->high = c->high << 8 | 255;
    }
    return bit;
}

/* A number of `bits` bits through a binary tree of probabilities. */
static void encode_tree(struct coder *c, uint16_t *tree, uint32_t bits, uint32_t value) {
    for (uint32_t node = 1; bits-- > 0;) {
        uint32_t bit = value >> bits & 1;
        encode_bit(c, &tree[node], bit);
        node = node * 2 + bit;
    }
}

static uint32_t decode_tree(struct coder *c, uint16_t *tree, uint32_t bits) {
    uint32_t node = 1;
    for (uint32_t i = 0; i < bits; i++)
        node = node * 2 + decode_bit(c, &tree[node]);
    return node - (1u << bits);
}

static void encode_distance(struct coder *c, uint32_t distance) {
    for (uint32_t i = 16; i-- > 0;)
        encode_bit(c, &c->distance[i][0], distance >> i & 1);
}

static uint32_t decode_distance(struct coder *c) {
    uint32_t distance = 0;
    for (uint32_t i = 16; i-- > 0;)
        distance |= decode_bit(c, &c->distance[i][0]) << i;
    return distance;
}

static uint32_t hash_at(uint32_t i) {
    uint32_t word = text[i] | (uint32_t)text[i + 1] << 8 | (uint32_t)text[i + 2] << 16 |
                    (uint32_t)text[i + 3] << 24;
    return word * 0x9E3779B1u >> (32 - HASH_BITS);
}

/* The longest match for the text at i; its length, or 0. */
static uint32_t find(uint32_t i, uint32_t *distance) {
    uint32_t best = 0, limit = TEXT_BYTES - i < MAX_MATCH ? TEXT_BYTES - i : MAX_MATCH;
    int32_t j = head[hash_at(i)];
    for (uint32_t tries = 0; j >= 0 && tries < CHAIN; tries++, j = previous[j]) {
        uint32_t n = 0;
        while (n < limit && text[(uint32_t)j + n] == text[i + n])
            n++;
        if (n > best) {
            best = n;
            *distance = i - (uint32_t)j;
        }
    }
    return best >= MIN_MATCH ? best : 0;
}

static void insert(uint32_t i) {
    uint32_t h = hash_at(i);
    previous[i] = head[h];
    head[h] = (int32_t)i;
}

static uint32_t compress(void) {
    static struct coder c;
    coder_begin(&c);
    for (uint32_t i = 0; i < 1 << HASH_BITS; i++)
        head[i] = -1;
    for (uint32_t i = 0; i < TEXT_BYTES;) {
        uint32_t distance = 0, n = i + MIN_MATCH <= TEXT_BYTES ? find(i, &distance) : 0;
        encode_bit(&c, &c.kind, n != 0);
        if (n == 0) {
            encode_tree(&c, c.literal, 8, text[i]);
            n = 1;
        } else {
            encode_tree(&c, c.length, 6, n - MIN_MATCH);
            encode_distance(&c, distance);
        }
        for (; n-- > 0; i++)
            if (i + MIN_MATCH <= TEXT_BYTES)
                insert(i);
    }
    for (uint32_t i = 0; i < 4; i++, c.high <<= 8)
        *c.p++ = (uint8_t)(c.high >> 24);
    return (uint32_t)(c.p - packed);
}

static void expand(void) {
    static struct coder c;
    coder_begin(&c);
    for (uint32_t i = 0; i < 4; i++)
        c.value = c.value << 8 | *c.p++;
    for (uint32_t i = 0; i < TEXT_BYTES;) {
        if (!decode_bit(&c, &c.kind)) {
            decoded[i++] = (uint8_t)decode_tree(&c, c.literal, 8);
            continue;
        }
        uint32_t n = decode_tree(&c, c.length, 6) + MIN_MATCH;
        uint32_t from = i - decode_distance(&c);
        if (n > TEXT_BYTES - i || from >= i)
            rt_die("the coded text is broken");
        while (n-- > 0)
            decoded[i++] = decoded[from++];
    }
}

/* Words of a small vocabulary, the short ones more often. */
static void write_text(uint32_t seed) {
    for (uint32_t i = 0; i < TEXT_BYTES;) {
        uint32_t word = rt_random(&seed) % 1000, letters = 2 + word * word / 120000;
        word = word * word / 1000;
        for (uint32_t j = 0; j < letters && i < TEXT_BYTES; j++)
            text[i++] = (uint8_t)('a' + (word * (j + 3) + (word >> j)) % 26);
        if (i < TEXT_BYTES)
            text[i++] = ' ';
    }
}

/* Count: texts of 64 KiB compressed and expanded. */
uint32_t workload(uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t round = 0; round < count; round++) {
        write_text(round + 1);
        sum = rt_mix(sum, compress());
        expand();
        for (uint32_t i = 0; i < TEXT_BYTES; i++)
            if (text[i] != decoded[i])
                rt_die("expanding does not give the text back");
    }
    return sum;
}
