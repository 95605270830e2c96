/* Reporting of x87 errors; see fpu_error.h. */
#include "vmm/fpu_error.h"

#include "vmm/callout_priv.h"
#include "vmm/fpu_state.h"
#include "vmm/vm.h"

/* Control and status word (SDM vol. 1 sections 8.1.3 and 8.1.5). */
enum {
    FSW_ERRORS = 0x3f,
    FSW_FLAGS = 0x7f, /* the errors and SF */
    FSW_SUMMARY = 0x8080,
};

static bool pending(const struct fpu_image *image) {
    uint16_t control = fpu_image_word(image, FPU_IMAGE_CONTROL);
    uint16_t status = fpu_image_word(image, FPU_IMAGE_STATUS);

    return status & ~control & FSW_ERRORS;
}

static void set_flags(struct fpu_image *image, uint16_t flags) {
    uint16_t status = fpu_image_word(image, FPU_IMAGE_STATUS);

    status = (uint16_t)((status & ~(FSW_FLAGS | FSW_SUMMARY)) | flags);
    fpu_image_set_word(image, FPU_IMAGE_STATUS, status);
    if (pending(image))
        fpu_image_set_word(image, FPU_IMAGE_STATUS, status | FSW_SUMMARY);
}

void fpu_error_met(struct vcpu *v) {
    if (v->cr0 & CR0_NE) {
        vcpu_raise(v, VEC_MF);
        return;
    }
    if (v->ferr && v->ignne)
        return; /* it was translated before that; it runs once it is translated anew */
    v->ferr = true;
    board_ferr(v->vm, true);
    /* what waits here is the instruction itself: the interrupt returns to it */
    v->halted = true;
    v->shadow = SHADOW_NONE;
}

void fpu_error_settle(struct vcpu *v) {
    struct fpu_image image;

    fpu_state_read(v, &image);
    if (v->fpu_held) {
        set_flags(&image, fpu_image_word(&image, FPU_IMAGE_STATUS) | v->fpu_held_flags);
        v->fpu_held = false;
        fpu_state_write(v, &image);
    }
    if (!pending(&image)) {
        v->ferr = false;
        board_ferr(v->vm, false);
    }
}

/* Before a waiting instruction. */
enum callout_result callout_fpu_hold(struct vcpu *v, uint64_t arg) {
    struct fpu_image image;

    (void)arg;
    if (!v->ignne || v->cr0 & CR0_NE)
        return CALLOUT_NEXT;
    fpu_state_read(v, &image);
    v->fpu_held = true;
    v->fpu_held_flags = fpu_image_word(&image, FPU_IMAGE_STATUS) & FSW_FLAGS;
    set_flags(&image, 0);
    fpu_state_write(v, &image);
    return CALLOUT_NEXT;
}

/* Behind every x87 instruction; arg: it has loaded the status word. */
enum callout_result callout_fpu_settle(struct vcpu *v, uint64_t arg) {
    if (arg)
        v->fpu_held = false;
    fpu_error_settle(v);
    return v->ferr ? CALLOUT_NEXT : callout_leave(v);
}
