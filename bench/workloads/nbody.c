/* Gravitation of five bodies in double precision: divisions, square roots, long chains. Built
 * twice: with x87 and with SSE2 arithmetic. */
#include "lib/rt.h"

enum { BODIES = 5 };

static struct body { double x[3], v[3], mass; } body[BODIES];

static double square_root(double a) {
#ifdef __SSE2_MATH__
    __asm__("sqrtsd %1, %0" : "=x"(a) : "x"(a));
#else
    __asm__("fsqrt" : "+t"(a));
#endif
    return a;
}

static void advance(double dt) {
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &body[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &body[j];
            double d0 = a->x[0] - b->x[0], d1 = a->x[1] - b->x[1], d2 = a->x[2] - b->x[2];
            double square = d0 * d0 + d1 * d1 + d2 * d2;
            double pull = dt / (square * square_root(square));
            a->v[0] -= d0 * b->mass * pull;
            a->v[1] -= d1 * b->mass * pull;
            a->v[2] -= d2 * b->mass * pull;
            b->v[0] += d0 * a->mass * pull;
            b->v[1] += d1 * a->mass * pull;
            b->v[2] += d2 * a->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            body[i].x[k] += dt * body[i].v[k];
}

/* Count: thousands of steps. */
uint32_t workload(uint32_t count) {
    for (int i = 0; i < BODIES; i++) {
        body[i].mass = i == 0 ? 40.0 : 0.01 * i;
        body[i].x[0] = 5.0 * i;
        body[i].x[1] = 0.3 * i;
        body[i].v[1] = i == 0 ? 0.0 : 3.0 - 0.4 * i;
        body[i].v[2] = 0.05 * i;
    }
    for (uint32_t i = 0; i < count * 1000; i++)
        advance(0.001);
    uint32_t sum = 0;
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            sum = rt_mix_double(sum, body[i].x[k]);
    return sum;
}
