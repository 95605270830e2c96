/*
 * Memory made present ahead of its use, by a thread beside the virtual CPU's.
 *
 * A translator lays down megabytes in its first second, and a page's first access is dear: Linux
 * clears it, 2 MiB at a time where pages are large, and a hypervisor below may have to find it
 * first. This thread makes those accesses. It changes nothing, so nothing waits for it, and if it
 * cannot be had, or is late, the pages come one by one as they are used.
 */
#include "host/process/present.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#include "host/host.h"
#include "host/process/rt_syscall.h"
#include "vmm/x86.h"

enum { REQUESTS = 64 };

/* A ring. Only the virtual CPU's thread puts in, only the other takes out. */
static struct {
    uint8_t *p;
    size_t bytes;
} requests[REQUESTS];
static _Atomic uint32_t put, taken; /* how many ever */
static _Atomic uint32_t running;    /* is the thread? */

static void await(_Atomic uint32_t *word, uint32_t old) {
    while (atomic_load(word) == old)
        rt_syscall4(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, old, 0);
}

static void wake(_Atomic uint32_t *word) {
    rt_syscall3(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1);
}

/* A locked OR of nothing writes, and undoes no write of the other thread's. Compilers leave such an
 * operation out. */
static void touch(uint8_t *p, size_t bytes) {
    for (size_t at = 0; at < bytes; at += PAGE_SIZE)
        __asm__ volatile("lock orb $0, %0" : "+m"(p[at]) : : "cc");
}

static void *work(void *arg) {
    atomic_store(&running, 1);
    wake(&running);
    for (uint32_t n = 0;; n++) {
        await(&put, n);
        touch(requests[n % REQUESTS].p, requests[n % REQUESTS].bytes);
        atomic_store(&taken, n + 1);
    }
    return arg;
}

void present_start(void) {
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

#ifdef RINGONE_SHORT_LIFE
    return; /* it would take longer than the rest of the life */
#endif
    if (running || pthread_attr_init(&attr) != 0)
        return;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all); /* signals are the virtual CPU's thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* libc makes system calls in a thread's first moments that the sandbox will stop */
    if (pthread_create(&thread, &attr, work, NULL) == 0)
        await(&running, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
}

void host_present(void *p, size_t bytes) {
    uint32_t n = atomic_load(&put);

    if (!running || n - atomic_load(&taken) == REQUESTS)
        return;
    requests[n % REQUESTS].p = p;
    requests[n % REQUESTS].bytes = bytes;
    atomic_store(&put, n + 1);
    wake(&put);
}
