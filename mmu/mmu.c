/*
 * The MMU's creation, and the events that make its caches follow the guest (Intel SDM vol. 3A
 * section 4.10.4: what CR3 loads, INVLPG and control-register changes invalidate).
 */
#include "mmu/mmu.h"

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/mmu_priv.h"
#include "mmu/tlb.h"
#include "vmm/vm.h"

struct mmu *mmu_create(struct vm *vm) {
    struct mmu *m = host_alloc(sizeof *m);
    if (!m)
        return NULL;
    m->vm = vm;
    m->tlb_used = true;
    vm->mmu = m;
    tlb_flush(&vm->vcpu);
    return m;
}

const struct mmu_stats *mmu_stats(const struct vm *vm) {
    return &vm->mmu->stats;
}

void mmu_cr3_loaded(struct vcpu *v) {
    v->vm->mmu->stats.cr3_loads++;
    tlb_flush(v);
    bt_map_changed(v, false);
}

void mmu_mode_changed(struct vcpu *v) {
    tlb_flush(v);
    bt_map_changed(v, true);
}

void mmu_invlpg(struct vcpu *v, gla_t gla) {
    tlb_flush_page(v, gla);
    bt_map_changed_page(v, gla);
}

void mmu_protect_code(struct vm *vm, gpa_t gpa) {
    if (gpa >= vm->mem.ram_size)
        return;
    vm->mem.frame_flags[gpa >> PAGE_SHIFT] |= FRAME_CODE;
    tlb_protect_frame(&vm->vcpu, gpa);
}

void mmu_memory_changed(struct vm *vm) {
    tlb_flush(&vm->vcpu);
}

enum mmu_fault mmu_window_fault(struct vcpu *v, gla_t gla, bool write, gpa_t *gpa) {
    (void)v, (void)gla, (void)write, (void)gpa;
    return MMU_FAULT_CHECKED;
}

bool mmu_view_direct(struct vcpu *v, bool user) {
    return v->window_base[user] != 0;
}

bool mmu_view_tick(struct vcpu *v) {
    (void)v;
    return false;
}

void mmu_prefill(struct vcpu *v, gla_t gla) {
    (void)v, (void)gla;
}
