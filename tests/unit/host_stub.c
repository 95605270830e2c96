/*
 * See host_stub.h. host_panic() goes through cmocka: expect_assert_failure() can expect it, and it
 * fails the test otherwise.
 */
#include "tests/unit/host_stub.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define WINDOW_BYTES (UINT64_C(1) << 32)
#define RAM_GUARD    (UINT64_C(1) << 20)
#define EDGE_PAGE    4096
#define WINDOW_PAGES (WINDOW_BYTES >> 12)

struct host_window {
    uint8_t *base;
    uint32_t *page; /* what each page shows, as host_stub_window_page() gives it */
};

struct host_stub host_stub;
uint32_t host_log_mask;

static int ram_fd = -1;

void host_stub_reset(void) {
    memset(&host_stub, 0, sizeof(host_stub));
    host_stub.timer_ns = UINT64_MAX;
    host_stub.window_budget = 1000;
    for (unsigned i = 0; i < HOST_STUB_CHANNELS; i++) {
        host_stub.chr[i].out_limit = HOST_STUB_CHR_BYTES;
    }
}

/* -- memory -- */

static void *map(size_t bytes, int prot, int flags, int fd) {
    void *p = mmap(NULL, bytes, prot, flags, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *host_alloc(size_t bytes) {
    return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

void *host_alloc_dense(size_t bytes) {
    return host_alloc(bytes);
}

static int shared_memory(const char *name, uint64_t bytes) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* With unmapped memory on both sides: what leaves guest memory faults. */
uint8_t *host_ram_create(uint64_t bytes) {
    if (ram_fd >= 0) {
        close(ram_fd);
    }
    ram_fd = shared_memory("ram", bytes);
    uint8_t *guarded = host_poison_create(bytes + 2 * RAM_GUARD);
    if (ram_fd < 0 || !guarded) {
        return NULL;
    }
    void *p =
        mmap(guarded + RAM_GUARD, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram_fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool host_code_create(struct host_code *c, size_t bytes) {
    int fd = shared_memory("code", bytes);
    if (fd < 0) {
        return false;
    }
    c->rw = map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    c->rx = map(bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    c->size = bytes;
    close(fd);
    return c->rw && c->rx;
}

void *host_poison_create(size_t bytes) {
    return map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

uint8_t *host_edge_create(void) {
    uint8_t *p = host_poison_create(WINDOW_BYTES + EDGE_PAGE);
    if (!p || mprotect(p, EDGE_PAGE, PROT_READ) != 0) {
        return NULL;
    }
    return p + EDGE_PAGE - 1;
}

/* -- windows -- */

struct host_window *host_window_create(void) {
    if (host_stub.no_windows) {
        return NULL;
    }
    struct host_window *w = host_alloc(sizeof(*w));
    /* Twice the size, so that a 4 GiB-aligned window fits, and room for the guard behind it. */
    uint8_t *p = host_poison_create(3 * WINDOW_BYTES);
    if (!w || !p) {
        return NULL;
    }
    w->base = p + (-(uintptr_t)p & (WINDOW_BYTES - 1));
    w->page = host_alloc(WINDOW_PAGES * sizeof(*w->page));
    return w;
}

uint64_t host_window_base(const struct host_window *w) {
    return (uintptr_t)w->base;
}

static bool refused(void) {
    host_stub.window_calls++;
    return host_stub.window_refuse && host_stub.window_calls % host_stub.window_refuse == 0;
}

static void check_range(uint32_t gla, uint64_t bytes) {
    if (bytes == 0 || (gla | bytes) % 4096 != 0 || gla + bytes > WINDOW_BYTES) {
        fail_msg("window call with gla %x, %lx bytes", gla, (unsigned long)bytes);
    }
}

bool host_window_map(struct host_window *w, uint32_t gla, uint64_t ram_offset, uint64_t bytes,
                     bool writable, bool executable) {
    int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    uint32_t bits = HOST_STUB_MAPPED | (writable ? HOST_STUB_WRITABLE : 0) |
                    (executable ? HOST_STUB_EXECUTABLE : 0);
    check_range(gla, bytes);
    if (refused() || mmap(w->base + gla, bytes, prot, MAP_SHARED | MAP_FIXED, ram_fd,
                          (off_t)ram_offset) == MAP_FAILED) {
        return false;
    }
    for (uint64_t at = 0; at < bytes; at += 4096) {
        w->page[(gla + at) >> 12] = (uint32_t)(ram_offset + at) | bits;
    }
    return true;
}

bool host_window_protect(struct host_window *w, uint32_t gla, uint64_t bytes, bool writable) {
    check_range(gla, bytes);
    if (refused() || mprotect(w->base + gla, bytes, PROT_READ | (writable ? PROT_WRITE : 0)) != 0) {
        return false;
    }
    for (uint64_t at = 0; at < bytes; at += 4096) {
        uint32_t *page = &w->page[(gla + at) >> 12];
        if (*page == 0) {
            fail_msg("protection of unmapped page %lx", (unsigned long)(gla + at));
        }
        *page = (*page & ~(uint32_t)HOST_STUB_WRITABLE) | (writable ? HOST_STUB_WRITABLE : 0);
    }
    return true;
}

bool host_window_unmap(struct host_window *w, uint32_t gla, uint64_t bytes) {
    check_range(gla, bytes);
    host_stub.window_calls++;
    if (mmap(w->base + gla, bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
        return false;
    }
    for (uint64_t page = gla >> 12; page < (gla + bytes) >> 12; page++) {
        if (w->page[page] != 0) { /* untouched stays untouched: the table is sparse */
            w->page[page] = 0;
        }
    }
    return true;
}

uint32_t host_stub_window_page(const struct host_window *w, uint32_t page) {
    return w->page[page];
}

unsigned host_stub_window_mappings(const struct host_window *w) {
    unsigned n = 0;
    for (uint64_t i = 1; i < WINDOW_PAGES; i++) {
        uint32_t last = w->page[i - 1], page = w->page[i];
        n += last == 0 || page == 0 ? (last == 0) != (page == 0) : page != last + 4096;
    }
    return n;
}

bool host_window_nx(void) {
    return host_stub.window_nx;
}

unsigned host_window_budget(void) {
    return host_stub.window_budget;
}

/* -- processor and time -- */

bool host_user_fs(void) {
    return host_stub.user_fs;
}

bool host_window_switch_dear(void) {
    return host_stub.dear_windows;
}

void host_set_window(bool user, uint64_t base) {
    (void)user;
    host_stub.window_base = base;
}

void host_present(void *p, size_t bytes) {
    memmove(p, p, bytes); /* must all be there, and writable */
}

void *host_stack_create(size_t bytes) {
    uint8_t *p = host_alloc(bytes);
    return p ? p + bytes : NULL;
}

bool host_clobbers_fpu(void) {
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
    return 0x202;
}

uint64_t host_clock_ns(void) {
    return host_stub.clock_ns;
}

uint64_t host_tsc_hz(void) {
    return HOST_STUB_TSC_HZ;
}

int64_t host_wall_seconds(void) {
    return host_stub.wall_seconds;
}

void host_timer_arm(uint64_t deadline_ns) {
    host_stub.timer_ns = deadline_ns;
}

/* Sleeping is moving the clock to the deadline; with none, input has come at once. */
void host_wait(uint64_t deadline_ns) {
    if (deadline_ns != UINT64_MAX && deadline_ns > host_stub.clock_ns) {
        host_stub.clock_ns = deadline_ns;
    }
}

void host_poll(void) {
    host_stub.polls++;
}

/* -- disks -- */

static struct host_stub_blk *blk_at(unsigned disk, uint64_t first, uint32_t sectors) {
    assert_true(disk < HOST_STUB_DISKS);
    struct host_stub_blk *b = &host_stub.blk[disk];
    return b->data && !b->fails && first <= b->sectors && sectors <= b->sectors - first ? b : NULL;
}

uint64_t host_blk_sectors(unsigned disk) {
    return disk < HOST_STUB_DISKS ? host_stub.blk[disk].sectors : 0;
}

bool host_blk_read(unsigned disk, uint64_t first, void *buf, uint32_t sectors) {
    const struct host_stub_blk *b = blk_at(disk, first, sectors);
    if (b)
        memcpy(buf, b->data + first * 512, sectors * 512u);
    return b != NULL;
}

bool host_blk_write(unsigned disk, uint64_t first, const void *buf, uint32_t sectors) {
    struct host_stub_blk *b = blk_at(disk, first, sectors);
    if (b)
        memcpy(b->data + first * 512, buf, sectors * 512u);
    return b != NULL;
}

bool host_blk_flush(unsigned disk) {
    host_stub.blk[disk].flushes++;
    return !host_stub.blk[disk].fails;
}

/* -- character channels -- */

bool host_chr_write(unsigned channel, const uint8_t *data, size_t n) {
    assert_true(channel < HOST_STUB_CHANNELS);
    struct host_stub_chr *c = &host_stub.chr[channel];
    if (n > c->out_limit - c->out_count) {
        return false;
    }
    memcpy(c->out + c->out_count, data, n);
    c->out_count += n;
    return true;
}

size_t host_chr_read(unsigned channel, uint8_t *data, size_t n) {
    assert_true(channel < HOST_STUB_CHANNELS);
    struct host_stub_chr *c = &host_stub.chr[channel];
    size_t left = c->in_count - c->in_taken;
    if (n > left) {
        n = left;
    }
    memcpy(data, c->in + c->in_taken, n);
    c->in_taken += n;
    return n;
}

void host_stub_chr_feed(unsigned channel, const void *data, size_t n) {
    assert_true(channel < HOST_STUB_CHANNELS);
    struct host_stub_chr *c = &host_stub.chr[channel];
    assert_true(n <= HOST_STUB_CHR_BYTES - c->in_count);
    memcpy(c->in + c->in_count, data, n);
    c->in_count += n;
}

/* -- words to the user -- */

void host_log(const char *fmt, ...) {
    va_list arguments;
    va_start(arguments, fmt);
    vfprintf(stderr, fmt, arguments);
    va_end(arguments);
}

void host_log_guest_code(struct vcpu *v, uint32_t gla, const uint8_t *bytes, size_t n,
                         bool code32) {
    (void)v;
    (void)bytes;
    host_log("guest code at %x: %zu bytes, %s-bit\n", gla, n, code32 ? "32" : "16");
}

void host_log_host_code(const uint8_t *code, size_t n, uint64_t address) {
    (void)code;
    host_log("host code at %llx: %zu bytes\n", (unsigned long long)address, n);
}

void host_panic(const char *fmt, ...) {
    static char text[256];
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(text, sizeof(text), fmt, arguments);
    va_end(arguments);
    mock_assert(0, text, __FILE__, __LINE__);
    abort();
}
