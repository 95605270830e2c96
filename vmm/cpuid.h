/*
 * The CPU the guest sees (AMD APM vol. 3 appendix E, Intel SDM vol. 2A CPUID).
 */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdint.h>

struct vcpu;

/* Family, model and stepping as CPUID 1 EAX packs them; also in EDX after reset. Family 0Fh, model
 * 2Fh; vmm/cpuid.c says why. */
#define CPUID_SIGNATURE 0x00020ff4u

/* Physical-address width the guest is told: PAE entries have reserved bits from here up. */
#define CPUID_PHYS_BITS 36u

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

/* What CPUID gives for EAX = leaf. Leaves that do not exist read zero. */
struct cpuid_regs cpuid_guest(struct vcpu *v, uint32_t leaf);

#endif
