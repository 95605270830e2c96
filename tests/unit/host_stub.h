/*
 * The host under the unit tests: host/host.h with a clock the test moves, character channels that
 * are buffers, and real memory behind RAM, code and windows. One per test program;
 * host_stub_reset() at the start of each test makes it as new (memory handed out before stays
 * valid).
 */
#ifndef TESTS_UNIT_HOST_STUB_H
#define TESTS_UNIT_HOST_STUB_H

#include <stdint.h>

#include "host/host.h"

enum {
    HOST_STUB_CHANNELS = 4,
    HOST_STUB_DISKS = 4,
    HOST_STUB_CHR_BYTES = 4096,
    HOST_STUB_TSC_HZ = 1000000000
};

struct host_stub_chr {
    uint8_t out[HOST_STUB_CHR_BYTES]; /* what host_chr_write took */
    size_t out_count;
    size_t out_limit; /* host_chr_write is "full" at this many bytes; default all of out */
    uint8_t in[HOST_STUB_CHR_BYTES]; /* what host_chr_read will give */
    size_t in_count;
    size_t in_taken;
};

/* A disk: memory of the test. */
struct host_stub_blk {
    uint8_t *data; /* NULL: no disk */
    uint64_t sectors;
    bool fails; /* every transfer */
    unsigned flushes;
};

struct host_stub {
    uint64_t clock_ns;      /* host_clock_ns() */
    bool dear_windows;      /* host_window_switch_dear() */
    int64_t wall_seconds;   /* host_wall_seconds() */
    uint64_t timer_ns;      /* last host_timer_arm(); UINT64_MAX: none */
    bool user_fs;           /* host_user_fs() */
    uint64_t window_base;   /* last host_set_window() */
    unsigned window_budget; /* host_window_budget() */
    unsigned window_calls;  /* host_window_map, _protect, _unmap */
    bool window_nx;         /* host_window_nx() */
    bool no_windows;        /* host_window_create() fails */
    unsigned window_refuse; /* refuse map and protect at every n-th of these calls; 0: never */
    unsigned polls;         /* calls of host_poll() */
    struct host_stub_chr chr[HOST_STUB_CHANNELS];
    struct host_stub_blk blk[HOST_STUB_DISKS];
};

extern struct host_stub host_stub;

void host_stub_reset(void);

/* What a window shows at page gla >> 12: 0 nothing, else the frame's address with HOST_STUB_MAPPED,
 * HOST_STUB_WRITABLE and HOST_STUB_EXECUTABLE. Changing the protection of an unmapped page fails
 * the test. */
enum { HOST_STUB_MAPPED = 1, HOST_STUB_WRITABLE = 2, HOST_STUB_EXECUTABLE = 4 };
uint32_t host_stub_window_page(const struct host_window *w, uint32_t page);
/* How many separate mappings the window's 4 GiB consist of beyond one, the unmapped stretches
 * between them included. */
unsigned host_stub_window_mappings(const struct host_window *w);

/* Appends to what the channel's host_chr_read will give. */
void host_stub_chr_feed(unsigned channel, const void *data, size_t n);

#endif
