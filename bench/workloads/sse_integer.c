/* Packed integers: sums of absolute differences between picture blocks (motion search), with
 * unaligned loads. */
#include "lib/rt.h"

enum { WIDTH = 256, HEIGHT = 128, BLOCK = 16 };

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef long long longs __attribute__((vector_size(16)));

static uint8_t now[HEIGHT][WIDTH], before[HEIGHT][WIDTH];

static uint32_t difference(const uint8_t *p, const uint8_t *q) {
    longs sum = {0, 0};
    for (int y = 0; y < BLOCK; y++) {
        bytes u, v;
        longs part;
        __asm__("movdqu %1, %0" : "=x"(u) : "m"(*(const bytes *)(p + y * WIDTH)));
        __asm__("movdqu %1, %0" : "=x"(v) : "m"(*(const bytes *)(q + y * WIDTH)));
        part = (longs)u;
        __asm__("psadbw %1, %0" : "+x"(part) : "x"(v));
        sum += part;
    }
    return (uint32_t)sum[0] + (uint32_t)sum[1];
}

static uint32_t search(int x, int y) {
    uint32_t best = ~0u, where = 0;
    for (int dy = -4; dy <= 4; dy++)
        for (int dx = -4; dx <= 4; dx++) {
            uint32_t d = difference(&now[y][x], &before[y + dy][x + dx]);
            if (d < best) {
                best = d;
                where = (uint32_t)((dy + 4) * 9 + dx + 4);
            }
        }
    return where << 16 | best;
}

/* Count: pictures. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 11, sum = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            before[y][x] = (uint8_t)(rt_random(&seed) % 64 + x + y);
    for (uint32_t i = 0; i < count; i++) {
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                now[y][x] = before[(y + 2) % HEIGHT][(x + i) % WIDTH];
        for (int y = BLOCK; y + 2 * BLOCK <= HEIGHT; y += BLOCK)
            for (int x = BLOCK; x + 2 * BLOCK <= WIDTH; x += BLOCK)
                sum = rt_mix(sum, search(x, y));
    }
    return sum;
}
