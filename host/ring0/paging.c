/*
 * Page tables (paging.h). The tables themselves are reached through the direct map.
 *
 * Mappings of the VMM are global, those of windows are not: reloading CR3 forgets the latter alone.
 */
#include "host/ring0/paging.h"

#include "host/host.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/frames.h"
#include "host/ring0/layout.h"
#include "host/ring0/service.h"

#define MIB2        0x200000ull
#define DEVICE_BASE 0xffffa00000000000ull

enum { GIB_ENTRIES = 4 }; /* of 1 GiB, in 4 GiB */

enum {
    CR4_PAE = 1u << 5,
    CR4_PGE = 1u << 7,
    CR4_OSFXSR = 1u << 9,
    CR4_OSXMMEXCPT = 1u << 10,
    CR4_FSGSBASE = 1u << 16,
    CR4_UMIP = 1u << 11,
    CR4_SMEP = 1u << 20,
    CPUID7_EBX_FSGSBASE = 1u << 0,
    CPUID7_EBX_SMEP = 1u << 7,
    CPUID7_ECX_UMIP = 1u << 2,
};
/* PG, AM, WP, NE, ET, MP, PE; no TS and no EM: the guest's x87/SSE instructions run as they are. AM
 * is for user code that sets EFLAGS.AC. */
#define CR0_VALUE 0x80050033u

extern const char text_start[], text_end[], rodata_end[], bss_end[]; /* link.ld */

uint64_t paging_nx;
bool paging_has_fsgsbase;

static uint64_t root;
static uint64_t devices;

static bool is_window(uint64_t address) {
    return address >= WINDOWS_BASE && address < WINDOWS_END;
}

/* The table below *entry, made if need be and wanted. */
static uint64_t *below(uint64_t *entry, bool make, uint64_t flags) {
    if (!(*entry & PTE_P)) {
        uint64_t frame = make ? frame_take() : 0;
        if (!frame)
            return NULL;
        *entry = frame | PTE_P | PTE_RW | PTE_A | flags;
    }
    return direct_map(*entry & PTE_FRAME);
}

/* The table at `level` (1: of 4 KiB pages) that maps the address. */
static uint64_t *table_at(uint64_t address, unsigned level, bool make) {
    uint64_t *table = direct_map(root);

    for (unsigned l = 4; table && l > level; l--) {
        uint64_t *entry = &table[address >> (12 + 9 * (l - 1)) & 511];
        if (*entry & PTE_LARGE)
            return NULL;
        table = below(entry, make, is_window(address) ? PTE_US : 0);
    }
    return table;
}

uint64_t *paging_entry(uint64_t address, bool make) {
    uint64_t *table = table_at(address, 1, make);

    return table ? &table[address >> 12 & 511] : NULL;
}

bool paging_map(uint64_t address, uint64_t physical, uint64_t flags) {
    uint64_t *entry = paging_entry(address, true);

    if (!entry)
        return false;
    *entry = physical | flags | PTE_P | PTE_A | PTE_D;
    return true;
}

unsigned paging_drop_table(uint64_t address) {
    uint64_t *table = table_at(address, 2, false);
    uint64_t *entry = table ? &table[address >> 21 & 511] : NULL;
    unsigned present = 0;

    if (!entry || !(*entry & PTE_P))
        return 0;
    const uint64_t *pages = direct_map(*entry & PTE_FRAME);
    for (unsigned i = 0; i < 512; i++)
        present += (unsigned)(pages[i] & PTE_P);
    frame_give_back(*entry & PTE_FRAME);
    *entry = 0;
    return present;
}

void *paging_map_device(uint64_t physical) {
    uint64_t at = DEVICE_BASE + devices;

    if (!paging_map(at, physical & PTE_FRAME, PTE_RW | PTE_PCD | PTE_PWT | PTE_G | paging_nx))
        return NULL;
    paging_invalidate(&at, 1);
    devices += FRAME_BYTES;
    return (void *)(uintptr_t)(at + (physical & (FRAME_BYTES - 1)));
}

bool paging_map_repeated(uint64_t address, uint64_t physical) {
    uint64_t *gibs = table_at(address, 3, true);
    uint64_t directory = frame_take(), table = frame_take();

    if (!gibs || !directory || !table)
        return false;
    for (unsigned i = 0; i < GIB_ENTRIES; i++)
        gibs[(address >> 30 & 511) + i] = directory | PTE_P | PTE_RW | PTE_A;
    uint64_t *tables = direct_map(directory), *pages = direct_map(table);
    for (unsigned i = 0; i < 512; i++) {
        tables[i] = table | PTE_P | PTE_RW | PTE_A;
        pages[i] = physical | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | paging_nx;
    }
    return true;
}

/* -- the first tables -- */

static void map_image(const char *from, const char *to, uint64_t flags) {
    for (uint64_t a = (uint64_t)(uintptr_t)from; a < (uint64_t)(uintptr_t)to; a += FRAME_BYTES)
        paging_map(a, a - KERNEL_BASE, flags | PTE_G);
}

/* In 2 MiB pages, whole ones. */
static void map_direct(uint64_t start, uint64_t end) {
    for (uint64_t a = start & ~(MIB2 - 1); a < end; a += MIB2) {
        uint64_t *table = table_at(DIRECT_MAP + a, 2, true);
        if (!table)
            host_panic("no memory for page tables");
        table[(DIRECT_MAP + a) >> 21 & 511] =
            a | PTE_P | PTE_RW | PTE_A | PTE_D | PTE_LARGE | PTE_G | paging_nx;
    }
}

void paging_init(const struct boot_info *info) {
    uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    struct cpuid leaf7 = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};
    paging_has_fsgsbase = leaf7.ebx & CPUID7_EBX_FSGSBASE;
    if (paging_has_fsgsbase)
        cr4 |= CR4_FSGSBASE;
    if (leaf7.ebx & CPUID7_EBX_SMEP)
        cr4 |= CR4_SMEP; /* what a window shows is for ring 3 alone to execute */
    if (leaf7.ecx & CPUID7_ECX_UMIP)
        cr4 |= CR4_UMIP; /* SGDT, SIDT, SLDT, STR and SMSW trap in ring 3 */
    if (cpuid(0x80000001, 0).edx & 1u << 20)
        paging_nx = 1ull << 63;
    root = frame_take();
    map_direct(0, MIB2); /* the screen */
    for (unsigned i = 0; i < info->range_count; i++)
        map_direct(info->ranges[i].start, info->ranges[i].end);
    for (unsigned i = 0; i < info->module_count; i++)
        map_direct(info->modules[i].at.start, info->modules[i].at.end);
    map_image(text_start, text_end, 0);
    map_image(text_end, rodata_end, paging_nx);
    map_image(rodata_end, bss_end, PTE_RW | paging_nx);
    write_cr4(cr4 & ~(uint64_t)CR4_PGE);
    write_cr3(root);
    write_cr0(CR0_VALUE);
    write_cr4(cr4);
}

/* -- roots -- */

enum { TOP_ENTRIES = 512 };

static uint64_t roots[WINDOWS_MAX]; /* by window; 0: none */

static unsigned window_number(uint64_t window) {
    return (unsigned)((window - WINDOWS_BASE) >> WINDOW_SHIFT);
}

bool paging_make_root(uint64_t window) {
    uint64_t top = frame_take(), low = frame_take();

    if (!top || !low)
        return false;
    for (uint64_t i = 0; i < GIB_ENTRIES; i++)
        if (!table_at(window + (i << 30), 2, true))
            return false;
    memcpy(direct_map(low), &table_at(window, 3, false)[window >> 30 & 511],
           GIB_ENTRIES * sizeof(uint64_t));
    uint64_t *entries = direct_map(top);
    memcpy(entries, direct_map(root), TOP_ENTRIES * sizeof *entries);
    entries[0] = low | PTE_P | PTE_RW | PTE_US | PTE_A;
    roots[window_number(window)] = top;
    return true;
}

void paging_use_root(uint64_t window) {
    uint64_t top = roots[window_number(window)];

    if (read_cr3() != top)
        write_cr3(top);
}

/* -- the TLB -- */

void paging_invalidate_now(const uint64_t *addresses, uint64_t n) {
    if (n > PAGING_INVALIDATE_MAX) {
        write_cr3(read_cr3());
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        invlpg(addresses[i]);
        if (is_window(addresses[i]))
            invlpg((uint32_t)addresses[i]); /* as ring 3 sees it */
    }
}

void paging_invalidate(const uint64_t *addresses, uint64_t n) {
    if (n)
        service_call(SERVICE_INVALIDATE, (uint64_t)(uintptr_t)addresses, n);
}
