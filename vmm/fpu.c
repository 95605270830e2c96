/*
 * Saving and loading the x87/SSE state: FNSTENV, FNSAVE, FXSAVE, FXRSTOR.
 *
 * They work on an image of ours. The processor's instruction and data pointers are host addresses,
 * which are none of the guest's business: it sees zeros. And outside 64-bit mode XMM8-XMM15 and
 * their part of FXSAVE's area stay alone. Intel SDM vol. 1 section 8.1.10, vol. 2A, FXSAVE,
 * table 3-43.
 */
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/cpu.h"
#include "vmm/fpu_state.h"

enum {
    FX_BYTES = FPU_IMAGE_BYTES,
    FX_POINTERS = 6, /* FOP, FIP, FDP and their selectors */
    FX_POINTER_BYTES = 18,
    FX_DEFINED = 288, /* control words, ST0-ST7, XMM0-XMM7 */
    FX_MXCSR_MASK = 28,
    FX_ALIGNMENT = 16,
};

/* Limit and alignment of the area. */
static bool area_ok(struct vcpu *v, uint64_t arg, bool write) {
    gla_t gla;

    if (!cpu_linear(v, CO_SEG(arg), v->ea, FX_BYTES, write, &gla))
        return false;
    return gla % FX_ALIGNMENT == 0 || vcpu_raise_error(v, VEC_GP, 0);
}

enum callout_result callout_fxsave(struct vcpu *v, uint64_t arg) {
    struct fpu_image image;

    if (!area_ok(v, arg, true))
        return CALLOUT_EXIT;
    memset(&image, 0, sizeof image); /* not every processor writes what is reserved */
    fpu_state_read(v, &image);
    memset(image.bytes + FX_POINTERS, 0, FX_POINTER_BYTES);
    v->code_written = false;
    if (!cpu_write(v, CO_SEG(arg), v->ea, image.bytes, FX_DEFINED))
        return CALLOUT_EXIT;
    return callout_wrote(v);
}

enum callout_result callout_fxrstor(struct vcpu *v, uint64_t arg) {
    struct fpu_image image;
    uint32_t mask, mxcsr;

    if (!area_ok(v, arg, false))
        return CALLOUT_EXIT;
    fpu_state_read(v, &image); /* what the guest cannot name stays as it is */
    memcpy(&mask, image.bytes + FX_MXCSR_MASK, sizeof mask);
    if (!cpu_read(v, CO_SEG(arg), v->ea, image.bytes, FX_DEFINED))
        return CALLOUT_EXIT;
    memcpy(&mxcsr, image.bytes + FPU_IMAGE_MXCSR, sizeof mxcsr);
    if (mxcsr & ~mask) {
        vcpu_raise_error(v, VEC_GP, 0);
        return CALLOUT_EXIT;
    }
    fpu_state_write(v, &image);
    return CALLOUT_NEXT;
}

/* -- FNSTENV, FNSAVE -- */

enum { ENV_BYTES = 28, ENV16_BYTES = 14, SAVE_BYTES = 108, SAVE16_BYTES = 94 };

/* Executes the instruction on the guest's state with the image as its operand. */
static void store_x87(struct vcpu *v, bool save, bool wide, struct fpu_image *image) {
    if (host_clobbers_fpu())
        __asm__ volatile("fxrstor64 %0" : : "m"(v->fpu));
    if (save && wide)
        __asm__ volatile("fnsave %0" : "=m"(*image));
    else if (save)
        __asm__ volatile("data16 fnsave %0" : "=m"(*image));
    else if (wide)
        __asm__ volatile("fnstenv %0" : "=m"(*image));
    else
        __asm__ volatile("data16 fnstenv %0" : "=m"(*image));
    if (host_clobbers_fpu())
        __asm__ volatile("fxsave64 %0" : "=m"(v->fpu));
}

/* FIP, FCS, FOP, FDP and FDS of the environment; what is reserved beside FDS stays ones. */
static void hide_pointers(struct fpu_image *image, bool wide) {
    if (wide)
        memset(image->bytes + 12, 0, 14);
    else
        memset(image->bytes + 6, 0, 8);
}

static enum callout_result store(struct vcpu *v, uint64_t arg, bool save) {
    bool wide = CO_OPSIZE(arg) != 2;
    uint32_t n = save ? (wide ? SAVE_BYTES : SAVE16_BYTES) : (wide ? ENV_BYTES : ENV16_BYTES);
    struct fpu_image image;
    gla_t gla;

    /* the instruction changes the state: all that can fault comes before */
    if (!cpu_linear(v, CO_SEG(arg), v->ea, n, true, &gla) ||
        !mmu_probe(v, gla, n, MMU_W | (vcpu_user(v) ? MMU_USER : 0)))
        return CALLOUT_EXIT;
    store_x87(v, save, wide, &image);
    hide_pointers(&image, wide);
    v->code_written = false;
    if (!cpu_write(v, CO_SEG(arg), v->ea, image.bytes, n))
        return CALLOUT_EXIT;
    return callout_wrote(v);
}

enum callout_result callout_fnstenv(struct vcpu *v, uint64_t arg) {
    return store(v, arg, false);
}

enum callout_result callout_fnsave(struct vcpu *v, uint64_t arg) {
    return store(v, arg, true);
}
