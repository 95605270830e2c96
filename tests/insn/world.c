/*
 * The part of the differential instruction test that must be the same in both worlds: memory and
 * FPU contents made from a case's seed, and the canonical form of an outcome.
 */
#include <stddef.h>

#include "tests/insn/world.h"

void *memset(void *to, int value, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);

#define POOL_WORDS   16384u /* 64 KiB of patterned data; cases start at different places in it */
#define REGION_WORDS 1024u

static uint32_t pool[POOL_WORDS + REGION_WORDS];

static uint32_t next_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Words that make interesting operands, as integers and as floating-point numbers. */
static const uint32_t special[] = {
    0x00000000, 0xffffffff, 0x00000001, 0x80000000, 0x7fffffff, 0x3f800000, 0xbf800000, 0x7f800000,
    0xff800000, 0x7fc00000, 0x7f800001, 0x00800000, 0x007fffff, 0x3ff00000, 0xbff00000, 0x40590000,
    0x7ff00000, 0xfff80000, 0x7ff00001, 0x4f000000, 0xcf000000, 0x41200000, 0x00ff00ff, 0x7f7f8080,
    0x30303030, 0x99999999, 0x41e00000, 0xc1e00000, 0x43e00000, 0x00010002, 0x20000040, 0x20000ff8,
};

/* Exponent and sign words of x87 registers, with a mantissa choice each. */
static const uint16_t exponents[] = {0x3fff, 0xbfff, 0x0000, 0x7fff, 0xffff, 0x4000,
                                     0x3ffe, 0x403e, 0x401e, 0x400e, 0x0001, 0x7ffe,
                                     0x8000, 0x3fc0, 0xc005, 0x43ff};

static void copy_words(uint32_t *to, const uint32_t *from, uint32_t n) {
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* Compilers emit calls of these two for structs, also in freestanding code. */
void *memset(void *to, int value, size_t n) {
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

static const uint32_t *pool_at(uint32_t seed, uint32_t region) {
    return &pool[(seed * 40503u + region * 7919u) % POOL_WORDS];
}

void world_init(const struct world *w) {
    uint32_t state = 0x12345678;
    for (uint32_t i = 0; i < POOL_WORDS + REGION_WORDS; i++) {
        uint32_t r = next_random(&state);
        uint32_t v = next_random(&state);
        if (r % 8 < 3)
            v = special[v % (sizeof special / sizeof *special)];
        else if (r % 8 == 3)
            v &= 0xffu;
        else if (r % 8 == 4)
            v = (v & 0x03ffffffu) + 0x3e000000u; /* a float near one */
        pool[i] = v;
    }
    for (uint32_t i = 0; i < CODE_SIZE; i++)
        w->code[i] = CODE_FILL;
    copy_words((uint32_t *)w->ro, pool_at(99, 9), RO_SIZE / 4);
}

struct region {
    uint32_t base;
    uint8_t *at;
    const uint32_t *from;
};

/* The four pages that a case may change. */
static uint32_t regions(const struct world *w, uint32_t seed, struct region *r) {
    r[0] = (struct region){ARENA_BASE, w->arena, pool_at(seed, 0)};
    r[1] = (struct region){ARENA_BASE + 4096, w->arena + 4096, pool_at(seed, 1)};
    r[2] = (struct region){STACK_BASE, w->stack, pool_at(seed, 2)};
    r[3] = (struct region){LOW_BASE, w->low, pool_at(seed, 3)};
    return w->options & OPT_LOW ? 4 : 3;
}

static const struct patch *case_patches(const struct test_case *c) {
    return (const struct patch *)(c + 1);
}

const struct test_case *world_next(const struct test_case *c) {
    const uint8_t *code = (const uint8_t *)(case_patches(c) + c->patches);
    return (const struct test_case *)(code + ((c->code_bytes + 3u) & ~3u));
}

void world_load_code(const struct world *w, const struct test_case *c) {
    const uint8_t *code = (const uint8_t *)(case_patches(c) + c->patches);
    uint8_t *to = w->code + (c->code_address - CODE_BASE);
    for (uint32_t i = 0; i < c->code_bytes; i++)
        if (to[i] != code[i])
            to[i] = code[i];
}

const struct test_case *world_load_codes(const struct world *w, const struct test_case *c,
                                         uint32_t cases) {
    uint32_t last = 0;
    while (cases-- && c->code_address >= last) {
        last = c->code_address + c->code_bytes;
        world_load_code(w, c);
        c = world_next(c);
    }
    return c;
}

static void make_fx(const struct test_case *c, uint8_t *fx) {
    uint32_t *words = (uint32_t *)fx;
    uint16_t *halves = (uint16_t *)fx;
    uint32_t state = c->seed * 2654435761u + 1;
    for (uint32_t i = 0; i < 128; i++)
        words[i] = 0;
    halves[0] = c->fcw;
    halves[1] = c->fsw;
    halves[2] = c->ftw;
    words[6] = c->mxcsr;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t r = next_random(&state);
        uint32_t *st = &words[8 + 4 * i];
        st[0] = r & 1 ? next_random(&state) : 0;
        st[1] = (r & 2 ? next_random(&state) : 0) | (r & 0x1f0 ? 0x80000000u : 0);
        st[2] = r & 4 ? 0x3ff0 + (r >> 8) % 32 : exponents[(r >> 8) % 16];
    }
    copy_words(&words[40], pool_at(c->seed, 5), 32);
}

void world_prepare(const struct world *w, const struct test_case *c, uint8_t *fx) {
    struct region r[4];
    uint32_t n = regions(w, c->seed, r);
    for (uint32_t i = 0; i < n; i++)
        copy_words((uint32_t *)r[i].at, r[i].from, REGION_WORDS);
    const struct patch *p = case_patches(c);
    for (uint32_t k = 0; k < c->patches; k++)
        for (uint32_t i = 0; i < n; i++)
            if (p[k].address - r[i].base <= 4092)
                *(uint32_t *)(r[i].at + (p[k].address - r[i].base)) = p[k].value;
    make_fx(c, fx);
}

static uint32_t hash_words(uint32_t h, const uint32_t *p, uint32_t n) {
    uint32_t a = h, b = h ^ 0x9e3779b9u, c = h + 0x7f4a7c15u, d = ~h;
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        a = (a ^ p[i]) * 0x01000193u;
        b = (b ^ p[i + 1]) * 0x85ebca6bu;
        c = (c ^ p[i + 2]) * 0xc2b2ae35u;
        d = (d ^ p[i + 3]) * 0x27d4eb2fu;
    }
    for (; i < n; i++)
        a = (a ^ p[i]) * 0x01000193u;
    a ^= (b << 7 | b >> 25) ^ (c << 13 | c >> 19) ^ (d << 22 | d >> 10);
    return a ^ a >> 15;
}

static int in_world(const struct world *w, uint32_t a) {
    return a - CODE_BASE < CODE_SIZE || a - ARENA_BASE < ARENA_SIZE || a - RO_BASE < RO_SIZE ||
           a - STACK_BASE < STACK_SIZE || ((w->options & OPT_LOW) && a - LOW_BASE < LOW_SIZE);
}

void world_finish(const struct world *w, const uint8_t *fx, struct outcome *o) {
    o->eflags &= w->eflags_mask;
    o->error &= w->error_mask;
    if (o->vector != 14)
        o->cr2 = 0;
    else if (!in_world(w, o->cr2))
        o->error &= ~1u; /* the kernel's own pages are present, Linux's may not be */
    for (uint32_t i = 0; i < OUTCOME_FX; i++)
        o->fx[i] = fx[i];
    for (uint32_t i = 5; i < 24; i++)
        o->fx[i] = 0; /* last x87 instruction's opcode and pointers */
    for (uint32_t i = 28; i < 32; i++)
        o->fx[i] = 0; /* MXCSR_MASK */
    for (uint32_t i = 32; i < 160; i += 16)
        for (uint32_t k = 10; k < 16; k++)
            o->fx[i + k] = 0;
    for (uint32_t i = 0; i < 160 && (w->options & OPT_NO_X87); i++)
        o->fx[i] = 0;
    if (o->vector == VEC_TIMEOUT) { /* wherever it was */
        *o = (struct outcome){.vector = VEC_TIMEOUT};
        return;
    }
    struct region r[4];
    uint32_t n = regions(w, 0, r);
    o->memory = 0x811c9dc5u;
    for (uint32_t i = 0; i < n; i++)
        o->memory = hash_words(o->memory, (const uint32_t *)r[i].at, REGION_WORDS);
}

uint32_t world_hash(const struct outcome *o) {
    return hash_words(1, (const uint32_t *)o, sizeof *o / 4);
}

uint32_t world_changes(const struct world *w, const struct test_case *c, struct patch *to,
                       uint32_t max) {
    struct region r[4];
    uint32_t n = regions(w, c->seed, r), count = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < REGION_WORDS && count < max; k++) {
            uint32_t v = ((const uint32_t *)r[i].at)[k];
            if (v != r[i].from[k])
                to[count++] = (struct patch){r[i].base + 4 * k, v};
        }
    return count;
}
