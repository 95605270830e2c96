/*
 * Accesses by linear address from C (Intel SDM vol. 3A section 4.6): descriptor tables, stacks at
 * event delivery, string instructions, callout operands.
 *
 * Invariant: every page of an access is checked before a byte of memory or a device is touched.
 */
#include "mmu/access.h"

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "mmu/mmu_priv.h"
#include "mmu/tlb.h"
#include "vmm/vm.h"

#define BUS_CHUNK 64u /* the most the bus takes at a time */

bool access_resolve(struct vcpu *v, gla_t gla, unsigned access, struct access_page *p) {
    bool user = access & MMU_USER;
    struct memmap *mem = &v->vm->mem;

    uint8_t *hit = (access & MMU_X) ? NULL : tlb_lookup(v, gla, user, access & MMU_W);
    if (hit) {
        *p = (struct access_page){.gpa = (gpa_t)(hit - mem->ram), .hva = hit, .plain = true};
        return true;
    }
    struct gwalk w;
    if (!gwalk_access(v, gla, access, &w)) {
        v->vm->mmu->stats.guest_faults++;
        return vcpu_raise_pf(v, gla, w.error);
    }
    tlb_fill(v, gla, user, &w);
    p->gpa = w.gpa;
    p->hva = memmap_ptr(mem, w.gpa);
    p->plain =
        p->hva && (!(access & MMU_W) || (memmap_kind(mem, w.gpa) == MEM_RAM &&
                                         !(mem->frame_flags[w.gpa >> PAGE_SHIFT] & FRAME_CODE)));
    return true;
}

void access_read(struct vcpu *v, const struct access_page *p, void *buf, uint32_t n) {
    if (p->hva) {
        memcpy(buf, p->hva, n);
        return;
    }
    v->vm->mmu->stats.mmio_reads++;
    for (uint32_t done = 0; done < n; done += BUS_CHUNK)
        bus_mmio_read(v->vm, p->gpa + done, (uint8_t *)buf + done,
                      n - done < BUS_CHUNK ? n - done : BUS_CHUNK);
}

void access_write(struct vcpu *v, const struct access_page *p, const void *buf, uint32_t n) {
    struct memmap *mem = &v->vm->mem;

    if (!p->hva) {
        v->vm->mmu->stats.mmio_writes++;
        for (uint32_t done = 0; done < n; done += BUS_CHUNK)
            bus_mmio_write(v->vm, p->gpa + done, (const uint8_t *)buf + done,
                           n - done < BUS_CHUNK ? n - done : BUS_CHUNK);
        return;
    }
    if (memmap_kind(mem, p->gpa) != MEM_RAM) {
        memmap_write_rom(mem, p->gpa, buf, n);
        return;
    }
    if ((mem->frame_flags[p->gpa >> PAGE_SHIFT] & FRAME_CODE) && bt_code_written(v->vm, p->gpa, n))
        v->code_written = true;
    memcpy(p->hva, buf, n);
}

static inline bool one_page(gla_t gla, uint32_t n) {
    return (gla & (PAGE_SIZE - 1)) + n <= PAGE_SIZE;
}

/* Resolves the one or two pages of [gla, gla+n). */
static bool resolve_both(struct vcpu *v, gla_t gla, uint32_t n, unsigned access,
                         struct access_page p[2], uint32_t *first) {
    *first = access_first_part(gla, n);
    return access_resolve(v, gla, access, &p[0]) &&
           (*first == n || access_resolve(v, gla + *first, access, &p[1]));
}

bool mmu_read(struct vcpu *v, gla_t gla, void *buf, uint32_t n, bool user) {
    if (one_page(gla, n)) {
        const uint8_t *hit = tlb_lookup(v, gla, user, false);
        if (hit) {
            memcpy(buf, hit, n);
            return true;
        }
    }
    struct access_page p[2];
    uint32_t first;
    if (!resolve_both(v, gla, n, MMU_R | (user ? MMU_USER : 0), p, &first))
        return false;
    access_read(v, &p[0], buf, first);
    if (first < n)
        access_read(v, &p[1], (uint8_t *)buf + first, n - first);
    return true;
}

bool mmu_write(struct vcpu *v, gla_t gla, const void *buf, uint32_t n, bool user) {
    if (one_page(gla, n)) {
        uint8_t *hit = tlb_lookup(v, gla, user, true);
        if (hit) {
            memcpy(hit, buf, n);
            return true;
        }
    }
    struct access_page p[2];
    uint32_t first;
    if (!resolve_both(v, gla, n, MMU_W | (user ? MMU_USER : 0), p, &first))
        return false;
    access_write(v, &p[0], buf, first);
    if (first < n)
        access_write(v, &p[1], (const uint8_t *)buf + first, n - first);
    return true;
}

bool mmu_probe(struct vcpu *v, gla_t gla, uint32_t n, unsigned access) {
    while (n > 0) {
        uint32_t part = access_first_part(gla, n);
        struct access_page p;
        if (!access_resolve(v, gla, access, &p))
            return false;
        gla += part;
        n -= part;
    }
    return true;
}

/* The short forms: a size known to the compiler where the TLB hits. */
#define SHORT_READ(name, type)                                                                     \
    bool name(struct vcpu *v, gla_t gla, type *out, bool user) {                                   \
        if (one_page(gla, sizeof *out)) {                                                          \
            const uint8_t *hit = tlb_lookup(v, gla, user, false);                                  \
            if (hit) {                                                                             \
                memcpy(out, hit, sizeof *out);                                                     \
                return true;                                                                       \
            }                                                                                      \
        }                                                                                          \
        return mmu_read(v, gla, out, sizeof *out, user);                                           \
    }
#define SHORT_WRITE(name, type)                                                                    \
    bool name(struct vcpu *v, gla_t gla, type value, bool user) {                                  \
        if (one_page(gla, sizeof value)) {                                                         \
            uint8_t *hit = tlb_lookup(v, gla, user, true);                                         \
            if (hit) {                                                                             \
                memcpy(hit, &value, sizeof value);                                                 \
                return true;                                                                       \
            }                                                                                      \
        }                                                                                          \
        return mmu_write(v, gla, &value, sizeof value, user);                                      \
    }

SHORT_READ(mmu_read8, uint8_t)
SHORT_READ(mmu_read16, uint16_t)
SHORT_READ(mmu_read32, uint32_t)
SHORT_WRITE(mmu_write8, uint8_t)
SHORT_WRITE(mmu_write16, uint16_t)
SHORT_WRITE(mmu_write32, uint32_t)

uint8_t *mmu_page_ptr(struct vcpu *v, gla_t gla, unsigned access) {
    struct access_page p;
    return access_resolve(v, gla, access, &p) && p.plain ? p.hva : (uint8_t *)0;
}
