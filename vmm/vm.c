/* Life cycle of a virtual machine; see vm.h. */
#include "vmm/vm.h"

#include "bt/bt.h"
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/board_pc.h"

bool vm_create(struct vm *vm, uint64_t ram_bytes, size_t cache_bytes,
               const struct board_config *board) {
    memset(vm, 0, sizeof *vm);
    vm->vcpu.vm = vm;
    if (!(board->rom ? memmap_create_4g : memmap_create)(&vm->mem, vm, ram_bytes))
        return false;
    vm->mmu = mmu_create(vm);
    if (!vm->mmu || !bt_create(vm, cache_bytes) || !board_create(vm, board))
        return false;
    vm_reset(vm);
    return true;
}

void vm_set_form(struct vm *vm, enum vm_form form) {
    vm->form = form;
    mmu_mode_changed(&vm->vcpu);
}

void vm_reset(struct vm *vm) {
    vcpu_reset(&vm->vcpu);
    mmu_mode_changed(&vm->vcpu);
    bt_reset(vm);
    board_reset(vm);
    vm->kicked = false;
    vm->stop = VM_RUNNING;
}

void vm_request_stop(struct vm *vm, enum vm_stop why) {
    if (vm->stop == VM_RUNNING)
        vm->stop = why;
    bt_kick(&vm->vcpu, NULL);
}
