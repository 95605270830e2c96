/* What the host's own primitives cost a 64-bit process, in cycles: no virtual machine monitor that
 * is a process and lets the host's MMU translate can be faster than these where it needs them. Also
 * finds the frequency of the time stamp counter.
 *
 * Prints "tsc HZ", then lines as guest.c does.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* A run of fresh pages is a large page. */
enum { RUNS = 15, PAGE = 4096, LARGE_PAGE = 2 << 20, ROUNDS = LARGE_PAGE / PAGE };
enum { CALIBRATION_NS = 200000000 };
enum { FRESH_BYTES = RUNS * ROUNDS * PAGE, STRETCH = 64 << 10 };

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

static void set_base(void) {
    static unsigned long which;
    syscall(SYS_arch_prctl, ARCH_SET_GS, which = !which);
}

/* Memory that is mapped twice, as code memory is: once writable and once not. */
struct twice {
    char *writable;
    const volatile char *other;
    size_t next;
};

static bool map_twice(struct twice *t) {
    int fresh = memfd_create("host-limit", 0);
    if (fresh < 0 || ftruncate(fresh, FRESH_BYTES) != 0)
        return false;
    t->writable = mmap(NULL, FRESH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fresh, 0);
    t->other = mmap(NULL, FRESH_BYTES, PROT_READ, MAP_SHARED, fresh, 0);
    return t->writable != MAP_FAILED && t->other != MAP_FAILED;
}

static void touch_fresh(struct twice *t) {
    t->writable[t->next] = 1;
    (void)t->other[t->next];
    t->next += PAGE;
}

static struct twice one_by_one, in_stretches;

static void fresh_page(void) {
    touch_fresh(&one_by_one);
}

static void fresh_page_of_stretch(void) {
    struct twice *t = &in_stretches;
    size_t left = FRESH_BYTES - t->next;
    if (t->next % STRETCH == 0)
        madvise(t->writable + t->next, left < STRETCH ? left : STRETCH, MADV_POPULATE_WRITE);
    touch_fresh(t);
}

/* Private memory in large pages, where the host gives them when asked, as the translator's tables
 * are. */
static char *large;

static bool map_large(void) {
    char *p = mmap(NULL, FRESH_BYTES + LARGE_PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    large = p + (-(uintptr_t)p & (LARGE_PAGE - 1));
    madvise(large, FRESH_BYTES, MADV_HUGEPAGE);
    return true;
}

static void fresh_page_of_large(void) {
    *(volatile char *)large = 1;
    large += PAGE;
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
    if (file < 0 || ftruncate(file, 2 * PAGE) != 0 || page == MAP_FAILED ||
        !map_twice(&one_by_one) || !map_twice(&in_stretches) || !map_large()) {
        perror("host_limit");
        return 1;
    }
    printf("tsc\t%.0f\n", frequency());
    event("system call", system_call);
    event("SIGSEGV round trip", fault);
    event("SIGFPE round trip", divide);
    event("mmap of a page and its first use", map_and_touch);
    event("mprotect of a page", protect);
    event("write of GS.base by system call", set_base);
    event("fresh page in two mappings", fresh_page);
    event("the same, made present 64 KiB at a time", fresh_page_of_stretch);
    event("fresh page within a large one", fresh_page_of_large);
    return 0;
}
