/*
 * The MMU's state, seen only inside mmu/.
 */
#ifndef MMU_MMU_PRIV_H
#define MMU_MMU_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/mmu.h"
#include "vmm/x86.h"

struct mmu {
    struct vm *vm;
    struct mmu_stats stats;

    /* software TLB (tlb.c) */
    bool tlb_used;         /* something was entered since the last flush */
    uint32_t tlb_large_lo; /* linear range that entries from large pages lie in */
    uint32_t tlb_large_hi;
};

#endif
