/*
 * Model-specific registers (AMD APM vol. 2 appendix A; Intel SDM vol. 4).
 */
#ifndef VMM_MSR_H
#define VMM_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

#define MSR_PAT_RESET  0x0007040600070406ull /* SDM vol. 3A table 11-12 */
#define MSR_HWCR_RESET 0ull

/* Reads/writes MSR `index`. False: it does not exist or does not take the value; nothing has
 * changed and no fault is pending (RDMSR and WRMSR make it #GP(0)). */
bool msr_read(struct vcpu *v, uint32_t index, uint64_t *value);
bool msr_write(struct vcpu *v, uint32_t index, uint64_t value);

#endif
