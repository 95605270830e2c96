/* Mandelbrot set in double precision: short dependent loops with a comparison each. Built twice:
 * with x87 and with SSE2 arithmetic. */
#include "lib/rt.h"

enum { SIDE = 128, ITERATIONS = 200 };

static uint32_t escape_time(double cr, double ci) {
    double r = 0, i = 0;
    uint32_t n = 0;
    for (; n < ITERATIONS; n++) {
        double r2 = r * r, i2 = i * i;
        if (r2 + i2 > 4.0)
            break;
        i = 2 * r * i + ci;
        r = r2 - i2 + cr;
    }
    return n;
}

/* Count: pictures. */
uint32_t workload(uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t picture = 0; picture < count; picture++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                sum = rt_mix(sum, escape_time(2.5 * x / SIDE - 2.0, 2.4 * y / SIDE - 1.2));
    return sum;
}
