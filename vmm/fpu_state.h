/*
 * The guest's x87/SSE state as an FXSAVE image (Intel SDM vol. 2A, FXSAVE, table 3-43): live in the
 * host's registers, or in v->fpu on hosts whose C code uses those. Only while VMM code runs for
 * translated code or the run loop, not in signal handlers.
 */
#ifndef VMM_FPU_STATE_H
#define VMM_FPU_STATE_H

#include "host/host.h"
#include "vmm/vcpu.h"

enum { FPU_IMAGE_BYTES = 512 };
/* Where the x87 control and status words and MXCSR stand. */
enum { FPU_IMAGE_CONTROL = 0, FPU_IMAGE_STATUS = 2, FPU_IMAGE_MXCSR = 24 };

/* MXCSR: misaligned exception mask. */
#define MXCSR_MM (1u << 17)

struct fpu_image {
    _Alignas(64) uint8_t bytes[FPU_IMAGE_BYTES];
};

static inline void fpu_state_read(const struct vcpu *v, struct fpu_image *image) {
    if (host_clobbers_fpu())
        memcpy(image->bytes, v->fpu, FPU_IMAGE_BYTES);
    else
        __asm__ volatile("fxsave %0" : "=m"(*image));
}

static inline void fpu_state_write(struct vcpu *v, const struct fpu_image *image) {
    if (host_clobbers_fpu())
        memcpy(v->fpu, image->bytes, FPU_IMAGE_BYTES);
    else
        __asm__ volatile("fxrstor %0" : : "m"(*image));
}

static inline uint32_t fpu_state_mxcsr(const struct vcpu *v) {
    uint32_t mxcsr;

    if (host_clobbers_fpu())
        memcpy(&mxcsr, v->fpu + FPU_IMAGE_MXCSR, sizeof mxcsr);
    else
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr;
}

static inline uint16_t fpu_image_word(const struct fpu_image *image, unsigned at) {
    uint16_t word;

    memcpy(&word, image->bytes + at, sizeof word);
    return word;
}

static inline void fpu_image_set_word(struct fpu_image *image, unsigned at, uint16_t word) {
    memcpy(image->bytes + at, &word, sizeof word);
}

#endif
