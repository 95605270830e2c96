/*
 * Memory of the process host: its tables, guest RAM, windows and code memory.
 *
 * Guest RAM is one memfd. A window is a reserved stretch of address space
 *
 *      guard | 4 GiB, at a multiple of 4 GiB: shared mappings of RAM, the rest PROT_NONE | guard
 *
 * so that addr32 gs:[...] reaches nothing but the window and the guard behind it (an access that
 * starts below 4 GiB and ends above), and a string instruction that runs off either end faults. The
 * windows in use are at FS.base and GS.base.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/memory_object.h"
#include "host/process/rt_syscall.h"
#include "vmm/x86.h"

enum { LARGE_PAGE = 2 << 20, DENSE_BYTES = 64 << 20 };
enum { WINDOWS = 64, GUARD = 1 << 20, HWCAP2_FSGSBASE = 2 };
/* arch_prctl(2) */
enum { SET_GS_BASE = 0x1001, SET_FS_BASE = 0x1002, GET_FS_BASE = 0x1003 };

#define WINDOW_BYTES (1ull << 32)

struct host_window {
    uint64_t base;
};

static struct { uint8_t *next, *end; } dense; /* what host_alloc_dense() has left */
static struct host_window windows[WINDOWS];
static unsigned window_count;
static int ram_fd = -1;
static bool has_fsgsbase;
/* What translated code has there. FS.base is libc's while its code runs. */
static uint64_t window_fs, window_gs, libc_fs;

static void *map(void *at, size_t bytes, int prot, int flags, int fd, uint64_t offset) {
    long r = rt_syscall6(SYS_mmap, (long)at, (long)bytes, prot, flags, fd, (long)offset);

    return r < 0 && r > -4096 ? MAP_FAILED : (void *)r;
}

void *host_alloc(size_t bytes) {
    void *p = map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* Address space in large pages, from which one table after the other is taken. False: no room. */
static bool dense_reserve(size_t bytes) {
    size_t room = bytes > DENSE_BYTES ? bytes : DENSE_BYTES;
    uint8_t *p = host_alloc(room + LARGE_PAGE);

    if (!p)
        return false;
    dense.next = p + (-(uintptr_t)p & (LARGE_PAGE - 1));
    dense.end = dense.next + room;
    rt_syscall3(SYS_madvise, (long)dense.next, (long)room, MADV_HUGEPAGE); /* if the kernel does */
    return true;
}

void *host_alloc_dense(size_t bytes) {
    bytes = (bytes + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
    if ((size_t)(dense.end - dense.next) < bytes && !dense_reserve(bytes))
        return host_alloc(bytes);
    uint8_t *p = dense.next;
    dense.next += bytes;
    return p;
}

void *host_poison_create(size_t bytes) {
    void *p = map(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

uint8_t *host_edge_create(void) {
    uint8_t *p = host_poison_create(GUARD + WINDOW_BYTES);

    if (!p || rt_syscall3(SYS_mprotect, (long)p, GUARD, PROT_READ) != 0)
        return NULL;
    return p + GUARD - 1;
}

void *host_stack_create(size_t bytes) {
    uint8_t *p = host_poison_create(GUARD + bytes);

    if (!p ||
        rt_syscall3(SYS_mprotect, (long)(p + GUARD), (long)bytes, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    return p + GUARD + bytes;
}

uint8_t *host_ram_create(uint64_t bytes) {
    ram_fd = memory_object("guest-ram", bytes);
    if (ram_fd < 0)
        return NULL;
    has_fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
    rt_syscall3(SYS_arch_prctl, GET_FS_BASE, (long)&libc_fs, 0);
    void *p = map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram_fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Both mappings of a memory object; it may not allow the second. */
static bool map_code(struct host_code *c, int fd, size_t bytes) {
    void *rw = map(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *rx = map(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);

    close(fd);
    *c = (struct host_code){.rw = rw, .rx = rx, .size = bytes};
    return rw != MAP_FAILED && rx != MAP_FAILED;
}

bool host_code_create(struct host_code *c, size_t bytes) {
    int fd = memory_object("translations", bytes);

    memory_object_done();
    if (fd >= 0 && map_code(c, fd, bytes))
        return true;
    fd = memory_object_small("translations", bytes);
    return fd >= 0 && map_code(c, fd, bytes);
}

struct host_window *host_window_create(void) {
    if (window_count == WINDOWS)
        return NULL;
    uint8_t *p = host_poison_create(2 * WINDOW_BYTES + 2 * GUARD);
    if (!p)
        return NULL;
    struct host_window *w = &windows[window_count++];
    w->base = ((uint64_t)(uintptr_t)p + GUARD + WINDOW_BYTES - 1) & ~(WINDOW_BYTES - 1);
    return w;
}

uint64_t host_window_base(const struct host_window *w) {
    return w->base;
}

/* The window's addresses [gla, gla+bytes), or NULL if they are not within it. */
static void *window_at(const struct host_window *w, uint32_t gla, uint64_t bytes) {
    return bytes <= WINDOW_BYTES - gla ? (void *)(uintptr_t)(w->base + gla) : NULL;
}

bool host_window_map(struct host_window *w, uint32_t gla, uint64_t ram_offset, uint64_t bytes,
                     bool writable, bool executable) {
    (void)executable; /* windows are never fetched from here */
    void *at = window_at(w, gla, bytes);
    int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;

    return at && map(at, bytes, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, ram_fd, ram_offset) !=
                     MAP_FAILED;
}

bool host_window_protect(struct host_window *w, uint32_t gla, uint64_t bytes, bool writable) {
    void *at = window_at(w, gla, bytes);

    return at && rt_syscall3(SYS_mprotect, (long)at, (long)bytes,
                             writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

bool host_window_unmap(struct host_window *w, uint32_t gla, uint64_t bytes) {
    void *at = window_at(w, gla, bytes);

    return at && map(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
                     -1, 0) != MAP_FAILED;
}

/* vm.max_map_count, less what the rest of the process needs. */
static unsigned read_budget(void) {
    enum { RESERVED = 1024, DEFAULT_MAX = 65530, ENOUGH = 1000000 };
    long max = DEFAULT_MAX;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");

    if (f) {
        if (fscanf(f, "%ld", &max) != 1)
            max = DEFAULT_MAX;
        fclose(f);
    }
    if (max > ENOUGH)
        max = ENOUGH;
    return max > RESERVED ? (unsigned)(max - RESERVED) : 0;
}

unsigned host_window_budget(void) {
    static unsigned budget;

    /* once, at start-up: the sandbox allows no opening of files */
    if (budget == 0)
        budget = read_budget();
    return budget;
}

/*
 * Writing a base costs a system call where the kernel keeps WRFSBASE and WRGSBASE off (before Linux
 * 5.9, and in some virtual machines, where it may take 10 us). So each view has a register of its
 * own. What runs while the guest is live knows no thread-local variables, for which libc has FS.
 */
bool host_user_fs(void) {
#ifdef RINGONE_SANITIZE
    return false; /* the sanitizers' code has such variables */
#else
    return true;
#endif
}

bool host_window_switch_dear(void) {
    return !has_fsgsbase;
}

static void set_fs(uint64_t base) {
    if (has_fsgsbase)
        __asm__ volatile("wrfsbase %0" : : "r"(base));
    else
        rt_syscall3(SYS_arch_prctl, SET_FS_BASE, (long)base, 0);
}

static void set_gs(uint64_t base) {
    if (has_fsgsbase)
        __asm__ volatile("wrgsbase %0" : : "r"(base));
    else
        rt_syscall3(SYS_arch_prctl, SET_GS_BASE, (long)base, 0);
}

void host_set_window(bool user, uint64_t base) {
    if (base == 0) /* code without a window uses neither */
        return;
    if (user && host_user_fs()) {
        if (base != window_fs)
            set_fs(base);
        window_fs = base;
    } else {
        if (base != window_gs)
            set_gs(base);
        window_gs = base;
    }
}

void windows_put_aside(void) {
    if (window_fs != 0)
        set_fs(libc_fs);
}

void windows_put_back(void) {
    if (window_fs != 0)
        set_fs(window_fs);
}

uint64_t windows_borrow(void) {
    uint64_t fs = 0;

    if (!libc_fs) /* there are no windows yet */
        return 0;
    rt_syscall3(SYS_arch_prctl, GET_FS_BASE, (long)&fs, 0);
    if (fs != libc_fs)
        set_fs(libc_fs);
    return fs;
}

void windows_return(uint64_t fs) {
    if (fs != libc_fs)
        set_fs(fs);
}

bool host_clobbers_fpu(void) {
#ifdef RINGONE_SANITIZE
    return true;
#else
    return false;
#endif
}

bool host_window_nx(void) {
    return false;
}

bool host_user_can(void) {
    return false; /* it could issue host system calls */
}

void host_user_run(struct vcpu *v, struct host_user *u) {
    (void)v;
    (void)u;
    host_panic("user code cannot run natively here");
}

uint32_t host_fixed_rflags(void) {
    return 0x202; /* IF and bit 1 */
}
