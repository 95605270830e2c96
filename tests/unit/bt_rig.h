/* A VM with RAM and a translator, paging off, for tests of bt/'s tables. */
#ifndef TESTS_UNIT_BT_RIG_H
#define TESTS_UNIT_BT_RIG_H

#include "tests/unit/unit.h"

#include "bt/bt_priv.h"
#include "bt/key.h"
#include "mmu/mmu.h"

enum { RIG_CACHE = 16 << 20 };
/* 32-bit code at CPL 0 in a flat code segment, operands checked */
enum { RIG_KEY = KEY_CODE32 | KEY_STACK32 | KEY_FLAT(SEG_CS) | KEY_WIDE(SEG_CS) };

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

/* Puts code at gla, physical and linear, in a code segment of 4 GiB; returns its page. */
static inline uint32_t bt_rig_code(gla_t gla, const void *code, size_t bytes) {
    vm.vcpu.seg[SEG_CS].limit = UINT32_MAX;
    memcpy(vm.mem.ram + gla, code, bytes);
    return codepage_lookup(vm.bt, &vm.vcpu, gla);
}

/* Translates what stands at eip, on that page. */
static inline struct block *bt_rig_translate(uint32_t page, uint32_t eip, uint32_t key) {
    vm.vcpu.eip = eip;
    struct block *b = translate_block(vm.bt, &vm.vcpu, page, key);
    assert_non_null(b);
    return b;
}

#endif
