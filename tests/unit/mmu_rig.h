/*
 * An MMU with guest RAM but no translator, bus or board: those are fakes that count. With it a
 * naive page walker, written from the manual's tables (Intel SDM vol. 3A
 * sections 4.3, 4.4, 4.6, 4.7), to hold the MMU against.
 */
#ifndef TESTS_UNIT_MMU_RIG_H
#define TESTS_UNIT_MMU_RIG_H

#include <stdbool.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "bt/bt.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "mmu/mmu_priv.h"
#include "mmu/tlb.h"
#include "vmm/vm.h"

#define RIG_RAM (16u << 20)
/* Where code runs that a test does not look at through a window: not mapped. */
#define ELSEWHERE 0xf0000000u

static struct rig {
    struct vm vm;
    struct vcpu *v;
    unsigned code_writes; /* bt_code_written calls that hit code */
    gpa_t code_gpa;       /* the last one */
    uint64_t code_bytes;
    unsigned map_changes, map_changes_global, page_changes;
    unsigned mmio_reads, mmio_writes;
    gpa_t mmio_gpa;
    uint8_t mmio_data[BOUNCE_BYTES]; /* of the last write */
    unsigned mmio_size;
    uint32_t random;
} rig;

/* -- fakes -- */

bool bt_code_written(struct vm *vm, gpa_t gpa, uint64_t n) {
    assert_true(gpa % PAGE_SIZE + n <= PAGE_SIZE);
    uint8_t *flags = &vm->mem.frame_flags[gpa >> PAGE_SHIFT];
    if (!(*flags & FRAME_CODE)) {
        return false;
    }
    *flags &= (uint8_t)~FRAME_CODE;
    rig.code_writes++;
    rig.code_gpa = gpa;
    rig.code_bytes = n;
    return true;
}

void bt_map_changed(struct vcpu *v, bool global_too) {
    (void)v;
    rig.map_changes++;
    rig.map_changes_global += global_too;
}

void bt_map_changed_page(struct vcpu *v, gla_t gla) {
    (void)v;
    (void)gla;
    rig.page_changes++;
}

void bus_mmio_read(struct vm *vm, gpa_t gpa, void *buf, unsigned size) {
    (void)vm;
    assert_in_range(size, 1, 64);
    rig.mmio_reads++;
    rig.mmio_gpa = gpa;
    memset(buf, 0x5a, size);
}

void bus_mmio_write(struct vm *vm, gpa_t gpa, const void *buf, unsigned size) {
    (void)vm;
    assert_in_range(size, 1, 64);
    rig.mmio_writes++;
    rig.mmio_gpa = gpa;
    rig.mmio_size = size;
    memcpy(rig.mmio_data, buf, size);
}

/* -- set-up -- */

static inline void rig_start(unsigned budget) {
    host_stub_reset();
    host_stub.window_budget = budget;
    memset(&rig, 0, sizeof rig);
    rig.random = 1;
    rig.v = &rig.vm.vcpu;
    rig.v->vm = &rig.vm;
    assert_true(memmap_create(&rig.vm.mem, &rig.vm, RIG_RAM));
    assert_non_null(mmu_create(&rig.vm));
}

enum rig_mode { RIG_32, RIG_32_PSE, RIG_PAE, RIG_PAE_NX, RIG_MODES };

/* Paging on, WP and PGE set, page directory (or PDPT) at cr3. */
static inline void rig_paging(enum rig_mode mode, uint32_t cr3) {
    struct vcpu *v = rig.v;
    v->cr0 = CR0_PE | CR0_PG | CR0_WP;
    v->cr4 = CR4_PGE | (mode >= RIG_PAE ? CR4_PAE : mode == RIG_32_PSE ? CR4_PSE : 0);
    v->efer = mode == RIG_PAE_NX ? EFER_NXE : 0;
    v->cr3 = cr3;
    if (mode >= RIG_PAE) {
        assert_true(mmu_load_pdpte(v, cr3));
    }
    mmu_mode_changed(v);
}

static inline void rig_load_cr3(uint32_t cr3) {
    rig.v->cr3 = cr3;
    if (rig.v->cr4 & CR4_PAE) {
        assert_true(mmu_load_pdpte(rig.v, cr3));
    }
    mmu_cr3_loaded(rig.v);
}

static inline uint32_t rig_get32(gpa_t gpa) {
    uint32_t value;
    memcpy(&value, rig.vm.mem.ram + gpa, 4);
    return value;
}

static inline void rig_put32(gpa_t gpa, uint32_t value) {
    memcpy(rig.vm.mem.ram + gpa, &value, 4);
}

static inline uint64_t rig_get64(gpa_t gpa) {
    uint64_t value;
    memcpy(&value, rig.vm.mem.ram + gpa, 8);
    return value;
}

static inline void rig_put64(gpa_t gpa, uint64_t value) {
    memcpy(rig.vm.mem.ram + gpa, &value, 8);
}

static inline bool rig_pae(void) {
    return rig.v->cr4 & CR4_PAE;
}

static inline void rig_put_entry(gpa_t table, unsigned index, uint64_t value) {
    if (rig_pae()) {
        rig_put64(table + index * 8, value);
    } else {
        rig_put32(table + index * 4, (uint32_t)value);
    }
}

/* xorshift: the same numbers in every run. */
static inline uint32_t rig_random(uint32_t below) {
    rig.random ^= rig.random << 13;
    rig.random ^= rig.random >> 17;
    rig.random ^= rig.random << 5;
    return (uint32_t)((uint64_t)rig.random * below >> 32);
}

static inline bool rig_chance(unsigned percent) {
    return rig_random(100) < percent;
}

/* -- the naive walker -- */

struct ref {
    bool ok;
    uint32_t error;
    gpa_t gpa;
    bool user, write, global, accessed, dirty;
    uint32_t page_bytes;
    unsigned entries;   /* read on the way, PDPTE not counted */
    gpa_t entry_gpa[2]; /* where */
};

static inline uint64_t ref_entry(gpa_t gpa, unsigned bytes) {
    uint64_t value = 0;
    memmap_read(&rig.vm.mem, gpa, &value, bytes);
    return value;
}

static inline struct ref ref_walk(gla_t gla, unsigned access) {
    const struct vcpu *v = rig.v;
    struct ref r = {.page_bytes = 4096, .user = true, .write = true, .accessed = true};
    bool pae = v->cr4 & CR4_PAE;
    bool nxe = pae && (v->efer & EFER_NXE);
    bool nx = false;
    unsigned bytes = pae ? 8 : 4;
    uint64_t table, e = 0;

    r.error =
        (access & MMU_W ? 2 : 0) | (access & MMU_USER ? 4 : 0) | ((access & MMU_X) && nxe ? 16 : 0);
    if (pae) {
        if (!(v->pdpte[gla >> 30] & 1)) {
            return r;
        }
        table = v->pdpte[gla >> 30] & 0xffffff000;
    } else {
        table = v->cr3 & 0xfffff000;
    }
    for (unsigned level = 0; level < 2; level++) {
        unsigned shift = level == 1 ? 12 : pae ? 21 : 22;
        r.entry_gpa[level] = table + (gla >> shift) % (4096 / bytes) * bytes;
        r.entries = level + 1;
        e = ref_entry(r.entry_gpa[level], bytes);
        if (!(e & 1)) {
            return r;
        }
        bool large = level == 0 && (e & 0x80) && (pae || (v->cr4 & CR4_PSE));
        uint64_t rsvd = 0;
        if (pae) {
            rsvd = 0x7ffffff000000000 | (nxe ? 0 : 1ull << 63) | (large ? 0x1fe000 : 0);
        } else if (large) {
            rsvd = 0x3fe000;
        }
        if (e & rsvd) {
            r.error |= 9;
            return r;
        }
        r.write = r.write && (e & 2);
        r.user = r.user && (e & 4);
        r.accessed = r.accessed && (e & 0x20);
        nx = nx || (nxe && e >> 63);
        table = e & 0xffffff000;
        if (large) {
            r.page_bytes = 1u << shift;
            break;
        }
    }
    r.dirty = e & 0x40;
    r.global = (e & 0x100) && (v->cr4 & CR4_PGE);
    r.gpa = (table & ~(uint64_t)(r.page_bytes - 1)) + gla % r.page_bytes;
    bool user = access & MMU_USER;
    if ((user && !r.user) || ((access & MMU_W) && !r.write && (user || (v->cr0 & CR0_WP))) ||
        ((access & MMU_X) && nx)) {
        r.error |= 1;
        return r;
    }
    r.ok = true;
    r.error = 0;
    return r;
}

#endif
