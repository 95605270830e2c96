/*
 * The time-stamp counter (Intel SDM vol. 3B section 17.17). The guest's runs at the host's rate.
 */
#ifndef VMM_TSC_H
#define VMM_TSC_H

#include <stdint.h>

#include "vmm/vcpu.h"

static inline uint64_t tsc_host(void) {
    return __builtin_ia32_rdtsc();
}

static inline uint64_t tsc_read(const struct vcpu *v) {
    return tsc_host() + v->tsc_offset;
}

#endif
