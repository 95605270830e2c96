/*
 * Instruction fetch for the translator. SDM vol. 3A section 4.6 (execute rights), 4.8 (A).
 */
#include "mmu/gwalk.h"
#include "mmu/mmu.h"
#include "mmu/mmu_priv.h"
#include "vmm/vm.h"

bool mmu_fetch(struct vcpu *v, gla_t gla, gpa_t *gpa, const uint8_t **hva, bool *global) {
    struct gwalk w;

    if (!gwalk_access(v, gla, MMU_X | (vcpu_user(v) ? MMU_USER : 0), &w)) {
        v->vm->mmu->stats.guest_faults++;
        return vcpu_raise_pf(v, gla, w.error);
    }
    *gpa = w.gpa;
    *hva = memmap_ptr(&v->vm->mem, w.gpa);
    *global = w.global;
    return true;
}

/* An entry whose A is clear counts as not mapped: the caller then comes through mmu_fetch. */
int64_t mmu_fetch_probe(struct vcpu *v, gla_t gla) {
    struct gwalk w;
    bool accessed;

    if (!gwalk_peek(v, gla, MMU_X | (vcpu_user(v) ? MMU_USER : 0), &w, &accessed) || !accessed)
        return -1;
    return (int64_t)w.gpa;
}
