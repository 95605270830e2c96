/*
 * FXSAVE and FXRSTOR. Outside 64-bit mode they leave XMM8-XMM15 and their part of the area alone,
 * in 64-bit mode they do not: so they work on an image of ours. Intel SDM vol. 2A, FXSAVE, table
 * 3-43.
 */
#include "host/host.h"
#include "vmm/callout_priv.h"
#include "vmm/cpu.h"

enum {
    FX_BYTES = 512,
    FX_DEFINED = 288, /* control words, ST0-ST7, XMM0-XMM7 */
    FX_MXCSR = 24,
    FX_MXCSR_MASK = 28,
    FX_ALIGNMENT = 16,
};

/* An FXSAVE area. */
struct image {
    _Alignas(64) uint8_t bytes[FX_BYTES];
};

/* The guest's state: live in the registers, or in v->fpu where callouts keep it there. */
static void read_state(struct vcpu *v, struct image *image) {
    if (host_clobbers_fpu())
        memcpy(image->bytes, v->fpu, FX_BYTES);
    else
        __asm__ volatile("fxsave %0" : "=m"(*image));
}

static void write_state(struct vcpu *v, const struct image *image) {
    if (host_clobbers_fpu())
        memcpy(v->fpu, image->bytes, FX_BYTES);
    else
        __asm__ volatile("fxrstor %0" : : "m"(*image));
}

/* Limit and alignment of the area. */
static bool area_ok(struct vcpu *v, uint64_t arg, bool write) {
    gla_t gla;

    if (!cpu_linear(v, CO_SEG(arg), v->ea, FX_BYTES, write, &gla))
        return false;
    return gla % FX_ALIGNMENT == 0 || vcpu_raise_error(v, VEC_GP, 0);
}

enum callout_result callout_fxsave(struct vcpu *v, uint64_t arg) {
    struct image image;

    if (!area_ok(v, arg, true))
        return CALLOUT_EXIT;
    read_state(v, &image);
    v->code_written = false;
    if (!cpu_write(v, CO_SEG(arg), v->ea, image.bytes, FX_DEFINED))
        return CALLOUT_EXIT;
    return callout_wrote(v);
}

enum callout_result callout_fxrstor(struct vcpu *v, uint64_t arg) {
    struct image image;
    uint32_t mask, mxcsr;

    if (!area_ok(v, arg, false))
        return CALLOUT_EXIT;
    read_state(v, &image); /* what the guest cannot name stays as it is */
    memcpy(&mask, image.bytes + FX_MXCSR_MASK, sizeof mask);
    if (!cpu_read(v, CO_SEG(arg), v->ea, image.bytes, FX_DEFINED))
        return CALLOUT_EXIT;
    memcpy(&mxcsr, image.bytes + FX_MXCSR, sizeof mxcsr);
    if (mxcsr & ~mask) {
        vcpu_raise_error(v, VEC_GP, 0);
        return CALLOUT_EXIT;
    }
    write_state(v, &image);
    return CALLOUT_NEXT;
}
