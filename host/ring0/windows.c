/*
 * Windows (host/host.h) as page tables: window n is the 4 GiB at WINDOWS_BASE + (n <<
 * WINDOW_SHIFT), followed by 4 GiB that are never mapped. Leaf entries map guest RAM for
 * ring 3, too, executable where the guest's own entries allow it; accessed and dirty are set
 * beforehand, because the guest's are kept by the MMU.
 *
 * All four functions run in ring 1 or, from bt_host_fault, in ring 0; only the TLB is ring 0's.
 */
#include "host/ring0/windows.h"
#include "host/host.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/frames.h"
#include "host/ring0/layout.h"
#include "host/ring0/paging.h"
#include "host/ring0/ram.h"
#include "host/ring0/service.h"

enum { TABLE_PAGES = 512, BUDGET = 1000000 };

#define WINDOW_PAGES (1ull << 20)

struct host_window {
    uint64_t base;
};

static struct host_window windows[WINDOWS_MAX];
static unsigned window_count;
static uint64_t current_gs;

/* Pages whose old translation the TLB must forget. */
struct stale {
    uint64_t count;
    uint64_t at[PAGING_INVALIDATE_MAX];
};

static void note(struct stale *s, uint64_t address) {
    if (s->count < PAGING_INVALIDATE_MAX)
        s->at[s->count] = address;
    s->count++;
}

struct host_window *host_window_create(void) {
    if (window_count == WINDOWS_MAX)
        return NULL;
    struct host_window *w = &windows[window_count];
    w->base = WINDOWS_BASE + ((uint64_t)window_count << WINDOW_SHIFT);
    if (!paging_make_root(w->base))
        return NULL;
    window_count++;
    return w;
}

uint64_t host_window_base(const struct host_window *w) {
    return w->base;
}

bool host_window_nx(void) {
    return paging_nx != 0;
}

unsigned host_window_budget(void) {
    return BUDGET;
}

static bool in_window(uint32_t gla, uint64_t bytes) {
    return gla / FRAME_BYTES + bytes / FRAME_BYTES <= WINDOW_PAGES;
}

bool host_window_map(struct host_window *w, uint32_t gla, uint64_t ram_offset, uint64_t bytes,
                     bool writable, bool executable) {
    uint64_t flags =
        PTE_P | PTE_A | PTE_D | PTE_US | (writable ? PTE_RW : 0) | (executable ? 0 : paging_nx);
    struct stale stale = {.count = 0};
    uint64_t *entry = NULL;
    bool done = true;

    if (!in_window(gla, bytes) || !ram_holds(ram_offset, bytes))
        return false;
    for (uint64_t i = 0; i < bytes; i += FRAME_BYTES) {
        uint64_t address = w->base + gla + i;
        entry = entry && address & (TABLE_PAGES * FRAME_BYTES - 1) ? entry + 1
                                                                   : paging_entry(address, true);
        if (!entry) {
            done = false;
            break;
        }
        if (*entry & PTE_P)
            note(&stale, address);
        *entry = ram_frame(ram_offset + i) | flags;
    }
    paging_invalidate(stale.at, stale.count);
    return done;
}

/* Calls fn for each present entry in the stretch, table by table. */
static void each_present(const struct host_window *w, uint32_t gla, uint64_t bytes,
                         void (*fn)(uint64_t *entry, uint64_t address, struct stale *s),
                         struct stale *s) {
    uint64_t address = w->base + gla, end = address + bytes;

    while (address < end) {
        uint64_t next = (address | (TABLE_PAGES * FRAME_BYTES - 1)) + 1;
        uint64_t *entry = paging_entry(address, false);
        for (; entry && address < next && address < end; address += FRAME_BYTES, entry++)
            if (*entry & PTE_P)
                fn(entry, address, s);
        address = next;
    }
}

static void allow_write(uint64_t *entry, uint64_t address, struct stale *s) {
    (void)address;
    (void)s;
    *entry |= PTE_RW; /* a stale read-only entry costs one fault, which drops it */
}

static void forbid_write(uint64_t *entry, uint64_t address, struct stale *s) {
    if (*entry & PTE_RW)
        note(s, address);
    *entry &= ~PTE_RW;
}

static void clear(uint64_t *entry, uint64_t address, struct stale *s) {
    note(s, address);
    *entry = 0;
}

bool host_window_protect(struct host_window *w, uint32_t gla, uint64_t bytes, bool writable) {
    struct stale stale = {.count = 0};

    if (!in_window(gla, bytes))
        return false;
    each_present(w, gla, bytes, writable ? allow_write : forbid_write, &stale);
    paging_invalidate(stale.at, stale.count);
    return true;
}

/* The tables of a whole window go, too. */
static void clear_all(const struct host_window *w) {
    uint64_t table_bytes = (uint64_t)TABLE_PAGES * FRAME_BYTES;

    for (uint64_t i = 0; i < WINDOW_PAGES * FRAME_BYTES; i += table_bytes)
        paging_drop_table(w->base + i);
    paging_invalidate(NULL, PAGING_INVALIDATE_MAX + 1);
}

bool host_window_unmap(struct host_window *w, uint32_t gla, uint64_t bytes) {
    struct stale stale = {.count = 0};

    if (!in_window(gla, bytes))
        return false;
    if (bytes == WINDOW_PAGES * FRAME_BYTES) {
        clear_all(w);
        return true;
    }
    each_present(w, gla, bytes, clear, &stale);
    paging_invalidate(stale.at, stale.count);
    return true;
}

void windows_forget_gs(void) {
    current_gs = UINT64_MAX;
}

bool host_user_fs(void) {
    return false; /* user code that runs natively has FS */
}

bool host_window_switch_dear(void) {
    return false; /* user code's windows are page tables */
}

void host_set_window(bool user, uint64_t base) {
    (void)user;
    if (base == current_gs)
        return;
    current_gs = base;
    if (paging_has_fsgsbase)
        wrgsbase(base);
    else
        service_call(SERVICE_GS_BASE, base, 0);
}

bool host_clobbers_fpu(void) {
    return false;
}

uint32_t host_fixed_rflags(void) {
    return 0x202; /* IF and bit 1; IOPL is 0 */
}
