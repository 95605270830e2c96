/* x87 extended precision: Gaussian elimination with partial pivoting, 80-bit loads and stores. */
#include "lib/rt.h"

enum { N = 64 };

static long double a[N][N + 1];

static void exchange_rows(int r, int s) {
    for (int k = 0; k <= N; k++) {
        long double t = a[r][k];
        a[r][k] = a[s][k];
        a[s][k] = t;
    }
}

static void solve(void) {
    for (int i = 0; i < N; i++) {
        int pivot = i;
        for (int r = i + 1; r < N; r++)
            if (__builtin_fabsl(a[r][i]) > __builtin_fabsl(a[pivot][i]))
                pivot = r;
        exchange_rows(i, pivot);
        for (int r = i + 1; r < N; r++) {
            long double factor = a[r][i] / a[i][i];
            for (int k = i; k <= N; k++)
                a[r][k] -= factor * a[i][k];
        }
    }
    for (int i = N; i-- > 0;) {
        for (int k = i + 1; k < N; k++)
            a[i][N] -= a[i][k] * a[k][N];
        a[i][N] /= a[i][i];
    }
}

/* Count: systems of 64 equations. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 3, sum = 0;
    for (uint32_t round = 0; round < count; round++) {
        for (int r = 0; r < N; r++)
            for (int k = 0; k <= N; k++)
                a[r][k] = (int32_t)rt_random(&seed) / 65536.0L;
        solve();
        for (int r = 0; r < N; r++)
            sum = rt_mix_double(sum, (double)a[r][N]);
    }
    return sum;
}
