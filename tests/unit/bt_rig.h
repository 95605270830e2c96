/* A VM with RAM and a translator, paging off, for tests of bt/'s tables. */
#ifndef TESTS_UNIT_BT_RIG_H
#define TESTS_UNIT_BT_RIG_H

#include "tests/unit/unit.h"

#include "bt/bt_priv.h"
#include "mmu/mmu.h"

enum { RIG_CACHE = 16 << 20 };

static struct vm vm;

/* Makes it anew. ram: bytes. */
static inline void bt_rig(uint32_t ram) {
    host_stub_reset();
    memset(&vm, 0, sizeof vm);
    vm.vcpu.vm = &vm;
    assert_true(memmap_create(&vm.mem, &vm, ram));
    assert_non_null(mmu_create(&vm));
    assert_true(bt_create(&vm, RIG_CACHE));
}

#endif
