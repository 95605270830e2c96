/* Packed single precision: products of 64 x 64 matrices, four elements at a time. */
#include "lib/rt.h"

enum { N = 64 };

typedef float quad __attribute__((vector_size(16)));

static quad a[N][N / 4], b[N][N / 4], c[N][N / 4];

static void multiply(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N / 4; j++) {
            quad sum = {0, 0, 0, 0};
            for (int k = 0; k < N; k++) {
                float x = ((float *)a[i])[k];
                quad spread = {x, x, x, x};
                sum += spread * b[k][j];
            }
            c[i][j] = sum;
        }
}

/* Count: products. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 5, sum = 0;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            ((float *)a[i])[k] = (float)(int32_t)(rt_random(&seed) >> 20) / 4096;
            ((float *)b[i])[k] = (float)(int32_t)(rt_random(&seed) >> 20) / 4096;
        }
    for (uint32_t i = 0; i < count; i++) {
        multiply();
        ((float *)a[i % N])[i % 61] = ((float *)c[i % 59])[i % N] / 64;
        sum = rt_mix(sum, (uint32_t)((int32_t *)c[i % N])[i % 53]);
    }
    return sum;
}
