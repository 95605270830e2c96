/*
 * Putting the guest's x87/SSE state aside (fpu.h). FXSAVE64 covers all that a guest can have: AVX
 * is never offered to it.
 */
#include "host/process/fpu.h"

#include <stdint.h>

#include "host/host.h"
#include "host/process/windows.h"

enum { FX_BYTES = 512, FX_FCW = 0, FX_MXCSR = 24, FCW_RESET = 0x037f, MXCSR_RESET = 0x1f80 };

static _Alignas(64) uint8_t guest_state[FX_BYTES];
static bool guest_live; /* the guest's state is in the registers */
static unsigned depth;  /* open brackets */

void fpu_guest_reset(void) {
    static const uint16_t fcw = FCW_RESET;
    static const uint32_t mxcsr = MXCSR_RESET;
    memset(guest_state, 0, sizeof guest_state);
    memcpy(guest_state + FX_FCW, &fcw, sizeof fcw);
    memcpy(guest_state + FX_MXCSR, &mxcsr, sizeof mxcsr);
}

static void put_aside(void) {
    static const uint32_t mxcsr = MXCSR_RESET;
    windows_put_aside();
    __asm__ volatile("fxsave64 %0\n\tfninit\n\tldmxcsr %1" : "=m"(guest_state) : "m"(mxcsr));
}

static void load(void) {
    windows_put_back();
    __asm__ volatile("fxrstor64 %0" : : "m"(guest_state));
}

void fpu_guest_enter(void) {
    load();
    guest_live = true;
}

void fpu_guest_leave(void) {
    put_aside();
    guest_live = false;
}

void fpu_guest_save(void) {
    if (guest_live && depth++ == 0)
        put_aside();
}

void fpu_guest_restore(void) {
    if (guest_live && --depth == 0)
        load();
}
