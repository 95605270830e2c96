/* host/process/rt_fpu.c: libc may do what it likes with x87 and SSE, the guest sees nothing of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/process/fpu.h"

struct fpu {
    uint8_t xmm0[16];
    uint32_t mxcsr;
    uint16_t fcw;
    double st0;
};

/* Puts values into the registers as a guest would, without the compiler knowing. */
static void set(const struct fpu *f) {
    __asm__ volatile("fninit\n\tfldcw %0\n\tfldl %1\n\tldmxcsr %2\n\tmovdqu %3, %%xmm0"
                     :
                     : "m"(f->fcw), "m"(f->st0), "m"(f->mxcsr), "m"(f->xmm0)
                     : "xmm0");
}

static void get(struct fpu *f) {
    __asm__ volatile("movdqu %%xmm0, %3\n\tstmxcsr %2\n\tfstpl %1\n\tfnstcw %0\n\tfninit"
                     : "=m"(f->fcw), "=m"(f->st0), "=m"(f->mxcsr), "=m"(f->xmm0));
}

static const struct fpu guest = {"fifteen letters", 0x1fa0, 0x027f, 1.5};

static uint32_t mxcsr_now(void) {
    uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value;
}

/* All in one function without library calls in between: those may use the registers. */
static void bracket(struct fpu *after, uint32_t *inside) {
    static const struct fpu noise = {"overwritten all", 0x1f80, 0x037f, -7};
    fpu_guest_reset();
    fpu_guest_enter();
    set(&guest);
    fpu_guest_save();
    *inside = mxcsr_now();
    fpu_guest_save(); /* a trace line within a trace */
    set(&noise);
    fpu_guest_restore();
    set(&noise);
    fpu_guest_restore();
    get(after);
    fpu_guest_leave();
}

static void brackets_keep_the_state(void **state) {
    (void)state;
    struct fpu after;
    uint32_t inside;
    bracket(&after, &inside);
    assert_memory_equal(after.xmm0, guest.xmm0, sizeof guest.xmm0);
    assert_int_equal(after.mxcsr, guest.mxcsr);
    assert_int_equal(after.fcw, guest.fcw);
    assert_true(after.st0 == guest.st0);
    assert_int_equal(inside, 0x1f80);
    assert_int_equal(mxcsr_now(), 0x1f80); /* and libc has its own again */
}

/* Outside the guest's time the brackets leave the registers alone. */
static void brackets_without_guest(void **state) {
    (void)state;
    struct fpu after;
    fpu_guest_save();
    set(&guest);
    fpu_guest_restore();
    get(&after);
    assert_memory_equal(after.xmm0, guest.xmm0, sizeof guest.xmm0);
    __asm__ volatile("ldmxcsr %0" : : "m"((uint32_t){0x1f80}));
}

static void reset_state(void **state) {
    (void)state;
    uint16_t fcw;
    uint32_t mxcsr;
    uint8_t xmm0[16];
    static const uint8_t zero[16];
    fpu_guest_reset();
    fpu_guest_enter();
    __asm__ volatile("fnstcw %0\n\tstmxcsr %1\n\tmovdqu %%xmm0, %2"
                     : "=m"(fcw), "=m"(mxcsr), "=m"(xmm0));
    fpu_guest_leave();
    assert_int_equal(fcw, 0x037f);
    assert_int_equal(mxcsr, 0x1f80);
    assert_memory_equal(xmm0, zero, sizeof zero);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_keep_the_state),
        cmocka_unit_test(brackets_without_guest),
        cmocka_unit_test(reset_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
