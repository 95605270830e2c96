/* What the host's own primitives cost a 64-bit process, in cycles: no virtual machine monitor that
 * is a process and lets the host's MMU translate can be faster than these where it needs them. Also
 * finds the frequency of the time stamp counter.
 *
 * Prints "tsc HZ", then lines as guest.c does.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { RUNS = 15, ROUNDS = 300, PAGE = 4096, CALIBRATION_NS = 200000000 };

static uint64_t rdtsc(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double frequency(void) {
    uint64_t ns = now_ns(), begin = rdtsc(), passed;
    do
        passed = now_ns() - ns;
    while (passed < CALIBRATION_NS);
    return (double)(rdtsc() - begin) * 1e9 / (double)passed;
}

/* The faulting instruction has two bytes. */
static void skip(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static char *page;
static int file;

static void fault(void) {
    __asm__ volatile("movl (%0), %%eax" : : "b"(page + PAGE) : "eax");
}

static void divide(void) {
    __asm__ volatile("divl %2" : : "a"(1), "d"(0), "b"(0) : "cc");
}

static void system_call(void) {
    syscall(SYS_getppid);
}

static void protect(void) {
    static int writable;
    mprotect(page, PAGE, (writable = !writable) ? PROT_READ : PROT_READ | PROT_WRITE);
}

static void map_and_touch(void) {
    static int which;
    void *p = mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file,
                   (which = !which) * PAGE);
    *(volatile char *)p = 1;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void event(const char *name, void (*body)(void)) {
    double sample[RUNS];
    for (int run = 0; run < RUNS; run++) {
        uint64_t begin = rdtsc();
        for (int i = 0; i < ROUNDS; i++)
            body();
        sample[run] = (double)(rdtsc() - begin) / ROUNDS;
    }
    qsort(sample, RUNS, sizeof sample[0], ascending);
    printf("event\t%s\t%.0f\t%.0f\n", name, sample[0] * 100, sample[RUNS / 2] * 100);
}

int main(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = skip;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    file = memfd_create("host-limit", 0);
    page = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file < 0 || ftruncate(file, 2 * PAGE) != 0 || page == MAP_FAILED) {
        perror("host_limit");
        return 1;
    }
    printf("tsc\t%.0f\n", frequency());
    event("system call", system_call);
    event("SIGSEGV round trip", fault);
    event("SIGFPE round trip", divide);
    event("mmap of a page and its first use", map_and_touch);
    event("mprotect of a page", protect);
    return 0;
}
