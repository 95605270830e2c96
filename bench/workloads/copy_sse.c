/* Memory copy by 16-byte loads and stores in an unrolled loop, as C libraries do. */
#include "lib/rt.h"

enum { BYTES = 1 << 20, STEP = 64 };

static uint8_t from[BYTES] __attribute__((aligned(64))), to[BYTES] __attribute__((aligned(64)));

static void copy(void) {
    const uint8_t *p = from;
    uint8_t *q = to;
    uint32_t steps = BYTES / STEP;
    __asm__ volatile("1: movdqu (%0), %%xmm0\n"
                     "movdqu 16(%0), %%xmm1\n"
                     "movdqu 32(%0), %%xmm2\n"
                     "movdqu 48(%0), %%xmm3\n"
                     "movaps %%xmm0, (%1)\n"
                     "movaps %%xmm1, 16(%1)\n"
                     "movaps %%xmm2, 32(%1)\n"
                     "movaps %%xmm3, 48(%1)\n"
                     "addl $64, %0\n"
                     "addl $64, %1\n"
                     "subl $1, %2\n"
                     "jnz 1b"
                     : "+r"(p), "+r"(q), "+r"(steps)
                     :
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3");
}

/* Count: MiB copied. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 1, sum = 0;
    for (uint32_t i = 0; i < BYTES; i++)
        from[i] = (uint8_t)rt_random(&seed);
    for (uint32_t i = 0; i < count; i++) {
        from[i % BYTES] = (uint8_t)i;
        copy();
        sum = rt_mix(sum, to[i * 97 % BYTES]);
    }
    return sum;
}
