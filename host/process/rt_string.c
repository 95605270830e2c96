/*
 * The memory functions of host/host.h without vector registers, for the whole program: libc's would
 * use the guest's SSE state. REP MOVSQ/STOSQ are fast on every CPU.
 * Sanitizers need their own; their builds save the guest's state at every callout instead.
 */
#include "host/host.h"

#ifndef RINGONE_SANITIZE

/* glibc's parameter names are reserved to it. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* Unaligned words of memory of any type. */
typedef uint64_t __attribute__((may_alias, aligned(1))) word64;
typedef uint32_t __attribute__((may_alias, aligned(1))) word32;
typedef uint16_t __attribute__((may_alias, aligned(1))) word16;

/* 1 to 16 bytes as two words that may overlap: REP MOVSB takes 30 cycles to start. */
static void copy_small(char *d, const char *s, size_t n) {
    if (n >= 8) {
        uint64_t head = *(const word64 *)s, tail = *(const word64 *)(s + n - 8);

        *(word64 *)d = head;
        *(word64 *)(d + n - 8) = tail;
    } else if (n >= 4) {
        uint32_t head = *(const word32 *)s, tail = *(const word32 *)(s + n - 4);

        *(word32 *)d = head;
        *(word32 *)(d + n - 4) = tail;
    } else if (n >= 2) {
        uint16_t head = *(const word16 *)s, tail = *(const word16 *)(s + n - 2);

        *(word16 *)d = head;
        *(word16 *)(d + n - 2) = tail;
    } else if (n == 1) {
        *d = *s;
    }
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n) {
    char *d = dst;
    const char *s = src;

    if (n > 128) {
        size_t words = n / 8;

        __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
        n %= 8;
    }
    while (n > 16) {
        *(word64 *)d = *(const word64 *)s;
        d += 8;
        s += 8;
        n -= 8;
        __asm__ volatile(""); /* keep the compiler from seeing memcpy in it */
    }
    copy_small(d, s, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n) {
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    unsigned char *d = (unsigned char *)dst + n - 1;
    const unsigned char *s = (const unsigned char *)src + n - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n) {
    void *d = dst;
    size_t words = n / 8, bytes = n % 8;

    __asm__ volatile("rep stosq\n\tmov %2, %%rcx\n\trep stosb"
                     : "+&D"(d), "+&c"(words)
                     : "r"(bytes), "a"((unsigned char)c * 0x0101010101010101ull)
                     : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
        __asm__ volatile(""); /* keep the compiler from seeing memcmp in it */
    }
    return 0;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif
