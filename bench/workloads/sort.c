/* Quicksort and heapsort of 32-bit keys; the comparison is a function, as in a C library. */
#include "lib/rt.h"

enum { KEYS = 1 << 15 };

static uint32_t keys[KEYS];

typedef int (*compare_fn)(const uint32_t *, const uint32_t *);

static int ascending(const uint32_t *a, const uint32_t *b) {
    return (*a > *b) - (*a < *b);
}

static int by_low_half(const uint32_t *a, const uint32_t *b) {
    uint32_t x = *a << 16 | *a >> 16, y = *b << 16 | *b >> 16;
    return (x > y) - (x < y);
}

static void swap(uint32_t *a, uint32_t *b) {
    uint32_t t = *a;
    *a = *b;
    *b = t;
}

static void quicksort(uint32_t *a, int32_t n, compare_fn compare) {
    while (n > 1) {
        uint32_t pivot = a[n / 2];
        int32_t i = 0, j = n - 1;
        while (i <= j) {
            while (compare(&a[i], &pivot) < 0)
                i++;
            while (compare(&a[j], &pivot) > 0)
                j--;
            if (i <= j)
                swap(&a[i++], &a[j--]);
        }
        if (j + 1 < n - i) { /* the shorter part by recursion */
            quicksort(a, j + 1, compare);
            a += i;
            n -= i;
        } else {
            quicksort(a + i, n - i, compare);
            n = j + 1;
        }
    }
}

static void sift(uint32_t *a, uint32_t root, uint32_t n, compare_fn compare) {
    for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && compare(&a[child], &a[child + 1]) < 0)
            child++;
        if (compare(&a[root], &a[child]) >= 0)
            return;
        swap(&a[root], &a[child]);
    }
}

static void heapsort(uint32_t *a, uint32_t n, compare_fn compare) {
    for (uint32_t i = n / 2; i-- > 0;)
        sift(a, i, n, compare);
    for (uint32_t i = n; --i > 0;) {
        swap(&a[0], &a[i]);
        sift(a, 0, i, compare);
    }
}

/* Count: rounds of one quicksort and one heapsort. */
uint32_t workload(uint32_t count) {
    uint32_t seed = 1, sum = 0;
    for (uint32_t round = 0; round < count; round++) {
        for (uint32_t i = 0; i < KEYS; i++)
            keys[i] = rt_random(&seed);
        quicksort(keys, KEYS, ascending);
        for (uint32_t i = 0; i < KEYS; i += 257)
            sum = rt_mix(sum, keys[i]);
        heapsort(keys, KEYS, by_low_half);
        for (uint32_t i = 0; i < KEYS; i += 257)
            sum = rt_mix(sum, keys[i]);
    }
    return sum;
}
