/*
 * Returns to a 16-bit stack. IRET to an SS with B clear loads SP only and leaves bits 31:16 of ESP
 * as they were in ring 0 (Intel SDM vol. 2A IRET: "the stack address size determines ..."), where
 * the guest would see them. So the return is done from a stack whose address has the guest's bits
 * there already: one frame that 4 GiB of addresses show again and again.
 */
#include "host/ring0/stack16.h"

#include <stdint.h>

#include "host/ring0/frames.h"
#include "host/ring0/layout.h"
#include "host/ring0/paging.h"
#include "host/ring0/trap.h"

/* iret16.S: general registers from the frame, RSP = stack, IRET */
_Noreturn void stack16_iret(const struct trap_frame *f, uint64_t *stack);

enum { WORDS = 5 }; /* of what IRET takes: RIP, CS, RFLAGS, RSP, SS */

bool stack16_init(void) {
    uint64_t frame = frame_take();

    return frame && paging_map_repeated(STACK16_BASE, frame);
}

void stack16_resume(const struct trap_frame *f) {
    uint64_t block = STACK16_BASE + (f->rsp & 0xffff0000u);
    uint64_t *stack = (uint64_t *)(uintptr_t)(block + FRAME_BYTES) - WORDS;

    stack[0] = f->rip;
    stack[1] = f->cs;
    stack[2] = f->rflags;
    stack[3] = f->rsp;
    stack[4] = f->ss;
    stack16_iret(f, stack);
}
