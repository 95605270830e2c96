/*
 * The memory functions of host/host.h without vector registers, for the whole program: libc's would
 * use the guest's SSE state. REP MOVSB/STOSB are fast on every CPU since 2013 (ERMS).
 * Sanitizers need their own; their builds save the guest's state at every callout instead.
 */
#include "host/host.h"

#ifndef RINGONE_SANITIZE

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    void *d = dst;

    if (n == 4) {
        *(uint32_t *)dst = *(const uint32_t *)src;
        return dst;
    }
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    unsigned char *d = (unsigned char *)dst + n - 1;
    const unsigned char *s = (const unsigned char *)src + n - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
        __asm__ volatile(""); /* keep the compiler from seeing memcmp in it */
    }
    return 0;
}

#endif
