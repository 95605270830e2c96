/* Random numbers, from a seed (Marsaglia's xorshift). */
#include "fuzz.h"

static uint32_t state;

void random_seed(uint32_t seed) {
    state = seed * 2654435761u + 1;
    if (!state)
        state = 1;
    for (int i = 0; i < 8; i++)
        rnd();
}

uint32_t rnd(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

uint32_t below(uint32_t n) {
    return (rnd() >> 8) % n;
}

bool one_in(uint32_t n) {
    return below(n) == 0;
}

uint32_t rnd_value(void) {
    switch (below(6)) {
    case 0:
        return below(5) - 2;
    case 1:
        return (1u << below(32)) + below(3) - 1;
    case 2:
        return below(0x10000);
    case 3:
    case 4:
        return rnd_address();
    default:
        return rnd();
    }
}

uint32_t rnd_address(void) {
    static const uint32_t places[] = {
        0,          0x400,      0x9FC00,     0xA0000,    0xB8000,    0xC0000,    0xE0000,
        0xF0000,    FUZZ_CODE,  FUZZ_TABLES, FUZZ_RAM,   0x10000000, 0x7FFFF000, 0x80000000,
        0xC0000000, 0xE0000000, 0xFEC00000,  0xFEE00000, 0xFFFE0000, 0xFFFFF000,
    };
    uint32_t page;
    switch (below(8)) {
    case 0:
        page = places[below(sizeof places / sizeof places[0])];
        break;
    case 1:
        page = rnd();
        break;
    case 2:
        page = 0xA0000 + below(0x20000); /* VGA */
        break;
    case 3:
        page = FUZZ_CODE + below(FUZZ_CODE_BYTES);
        break;
    default:
        page = FUZZ_FREE + below(FUZZ_RAM - FUZZ_FREE);
    }
    switch (below(4)) {
    case 0:
        return (page & ~0xFFFu) - below(18); /* across or before the edge of a page */
    case 1:
        return page & ~0xFu;
    default:
        return page;
    }
}
