/*
 * A time limit for the VM (limit.h). Kicks come regularly while the guest runs, whatever it does; a
 * guest that waits is woken at the limit (clock.c).
 */
#include "host/ring0/limit.h"

#include <stddef.h>

#include "host/host.h"
#include "vmm/vm.h"

static struct vm *limited;
static uint64_t end = UINT64_MAX;

void limit_set(struct vm *vm, uint64_t end_ns) {
    limited = vm;
    end = end_ns;
}

uint64_t limit_end(void) {
    return end;
}

void limit_check(void) {
    if (limited && host_clock_ns() >= end)
        vm_request_stop(limited, VM_STOP_QUIT);
}
