/*
 * Guest page walk: 32-bit paging with 4 MiB pages, PAE paging with 2 MiB pages and NX.
 * Intel SDM vol. 3A sections 4.3 (32-bit), 4.4 (PAE), 4.6 (rights), 4.7 (error codes), 4.8 (A, D).
 *
 * Guest tables are untrusted: an entry is data, its frame may lie anywhere. A table outside RAM and
 * ROM reads as ones and takes no writes.
 */
#include "mmu/gwalk.h"

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/mmu.h"
#include "mmu/mmu_priv.h"
#include "vmm/cpuid.h"
#include "vmm/vm.h"

#define PAE_FRAME     (((1ull << CPUID_PHYS_BITS) - 1) & ~0xfffull)
#define PAE_RESERVED  (0x7fffffffffffffffull & ~(PAE_FRAME | 0xfffu)) /* up to 62 */
#define PAE_RESERVED2 0x1fe000u                                       /* 2 MiB page: bits 20:13 */
#define PSE_RESERVED  0x3fe000u /* 4 MiB page without PSE-36: bits 21:13 */
/* PDPTE: bits 2:1, 8:5 and those beyond the physical width, SDM vol. 3A table 4-8 */
#define PDPTE_RESERVED (~(PAE_FRAME | 0xfffu) | 0x1e6u)

/* A walk's entries and where they stand. */
struct path {
    gpa_t pde_gpa;
    gpa_t pte_gpa; /* valid when shift is 12 */
};

uint64_t gwalk_load(const struct vcpu *v, gpa_t gpa) {
    const uint8_t *p = memmap_ptr(&v->vm->mem, gpa & v->vm->mem.cpu_mask);
    if (gwalk_pae(v)) {
        uint64_t e = UINT64_MAX;
        if (p)
            memcpy(&e, p, sizeof e);
        return e;
    }
    uint32_t e = UINT32_MAX;
    if (p)
        memcpy(&e, p, sizeof e);
    return e;
}

/* ORs A or D into the low half of an entry; a single locked access, as the processor's. */
static void set_bits(struct vcpu *v, gpa_t gpa, uint64_t *entry, uint32_t bits) {
    if ((*entry & bits) == bits)
        return;
    *entry |= bits;
    struct memmap *m = &v->vm->mem;
    gpa &= m->cpu_mask;
    if (memmap_kind(m, gpa) != MEM_RAM)
        return;
    if ((m->frame_flags[gpa >> PAGE_SHIFT] & FRAME_CODE) && bt_code_written(v->vm, gpa, 4))
        v->code_written = true;
    __atomic_fetch_or((uint32_t *)(void *)(m->ram + gpa), bits, __ATOMIC_SEQ_CST);
}

bool gwalk_pde_gpa(const struct vcpu *v, gla_t gla, gpa_t *gpa) {
    if (!gwalk_pae(v)) {
        *gpa = (v->cr3 & PTE_FRAME) + (gla >> 22) * 4;
        return true;
    }
    uint64_t pdpte = v->pdpte[gla >> 30];
    *gpa = (pdpte & PAE_FRAME) + (gla >> 21 & 511) * 8;
    return pdpte & PTE_P;
}

/* True when a present entry has reserved bits set. */
static bool reserved(const struct vcpu *v, uint64_t e, uint32_t large_bits) {
    if (!gwalk_pae(v))
        return e & large_bits;
    uint64_t bits = PAE_RESERVED | large_bits;
    if (!gwalk_nx(v))
        bits |= PTE_NX;
    return e & bits;
}

static bool fail(struct gwalk *w, uint32_t error, uint32_t more) {
    w->error = error | more;
    return false;
}

/* Walks and checks rights. Changes no guest memory. */
static bool walk(const struct vcpu *v, gla_t gla, unsigned access, struct gwalk *w,
                 struct path *p) {
    bool pae = gwalk_pae(v);
    bool user = access & MMU_USER;
    uint32_t error = ((access & MMU_W) ? PFERR_W : 0) | (user ? PFERR_U : 0) |
                     ((access & MMU_X) && gwalk_nx(v) ? PFERR_I : 0);

    if (!gwalk_pde_gpa(v, gla, &p->pde_gpa))
        return fail(w, error, 0);
    uint64_t pde = gwalk_load(v, p->pde_gpa);
    if (!(pde & PTE_P))
        return fail(w, error, 0);

    bool large = (pde & PTE_PS) && (pae || (v->cr4 & CR4_PSE));
    uint32_t large_bits = !large ? 0 : pae ? PAE_RESERVED2 : PSE_RESERVED;
    if (reserved(v, pde, large_bits))
        return fail(w, error, PFERR_P | PFERR_RSVD);

    uint64_t frame_mask = pae ? PAE_FRAME : PTE_FRAME;
    uint64_t leaf = pde, both = pde, any = pde;
    w->shift = pae ? 21 : 22;
    if (!large) {
        unsigned size = pae ? 8 : 4;
        p->pte_gpa = (pde & frame_mask) + (gla >> PAGE_SHIFT & (PAGE_SIZE / size - 1)) * size;
        leaf = gwalk_load(v, p->pte_gpa);
        if (!(leaf & PTE_P))
            return fail(w, error, 0);
        if (reserved(v, leaf, 0))
            return fail(w, error, PFERR_P | PFERR_RSVD);
        both = pde & leaf;
        any = pde | leaf;
        w->shift = PAGE_SHIFT;
    }

    uint64_t offset_mask = (1u << w->shift) - 1;
    w->gpa = ((leaf & frame_mask & ~offset_mask) | (gla & offset_mask)) & v->vm->mem.cpu_mask;
    w->pde = pde;
    w->leaf = leaf;
    w->user = both & PTE_US;
    w->write = both & PTE_RW;
    w->dirty = leaf & PTE_D;
    w->global = (leaf & PTE_G) && (v->cr4 & CR4_PGE);
    w->error = 0;

    bool denied = (user && !w->user) || ((access & MMU_W) && !gwalk_may_write(v, w->write, user)) ||
                  ((access & MMU_X) && gwalk_nx(v) && (any & PTE_NX));
    return denied ? fail(w, error, PFERR_P) : true;
}

static void identity(const struct vcpu *v, gla_t gla, struct gwalk *w) {
    *w = (struct gwalk){.gpa = gla & v->vm->mem.cpu_mask,
                        .shift = 32,
                        .user = true,
                        .write = true,
                        .global = true,
                        .dirty = true};
}

bool gwalk_access(struct vcpu *v, gla_t gla, unsigned access, struct gwalk *w) {
    if (!gwalk_paging(v)) {
        identity(v, gla, w);
        return true;
    }
    v->vm->mmu->stats.walks++;
    struct path p = {0};
    if (!walk(v, gla, access, w, &p))
        return false;

    uint32_t leaf_bits = PTE_A | ((access & MMU_W) ? PTE_D : 0);
    if (w->shift == PAGE_SHIFT) {
        set_bits(v, p.pde_gpa, &w->pde, PTE_A);
        set_bits(v, p.pte_gpa, &w->leaf, leaf_bits);
    } else {
        set_bits(v, p.pde_gpa, &w->pde, leaf_bits);
        w->leaf = w->pde;
    }
    w->dirty = w->leaf & PTE_D;
    return true;
}

bool gwalk_peek(const struct vcpu *v, gla_t gla, unsigned access, struct gwalk *w, bool *accessed) {
    *accessed = true;
    if (!gwalk_paging(v)) {
        identity(v, gla, w);
        return true;
    }
    struct path p;
    if (!walk(v, gla, access, w, &p))
        return false;
    *accessed = (w->pde & w->leaf & PTE_A) && (!(access & MMU_W) || w->dirty);
    return true;
}

bool mmu_load_pdpte(struct vcpu *v, uint32_t cr3) {
    uint64_t pdpte[4];

    memmap_read(&v->vm->mem, cr3 & ~31u & v->vm->mem.cpu_mask, pdpte, sizeof pdpte);
    for (unsigned i = 0; i < 4; i++)
        if ((pdpte[i] & PTE_P) && (pdpte[i] & PDPTE_RESERVED))
            return vcpu_raise_error(v, VEC_GP, 0);
    memcpy(v->pdpte, pdpte, sizeof pdpte);
    return true;
}
