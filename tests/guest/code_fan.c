/* 150,000 pieces of code that all go to one, which a monitor may have translated last; then other
 * code in their place. */
#include "guest.h"

enum { CODE_AT = ARENA_LARGE, PIECES = 150 * 1000, PIECE_BYTES = 5, JMP_REL32 = 0xE9, NOP = 0x90 };

CODE(common, "addl $5, %esi; decl %ecx; jz 1f; jmp *%esi; 1: int $0xf0");

/* JMP to common, or INC EAX. */
static void fill(bool jumps) {
    for (uint32_t i = 0; i < PIECES; i++) {
        uint8_t *p = (uint8_t *)CODE_AT + i * PIECE_BYTES;
        p[0] = jumps ? JMP_REL32 : 0x40;
        for (uint32_t k = 1; k < PIECE_BYTES; k++)
            p[k] = NOP;
        if (jumps)
            *(uint32_t *)(p + 1) = (uint32_t)common - (uint32_t)(p + PIECE_BYTES);
    }
    *((uint8_t *)CODE_AT + PIECES * PIECE_BYTES) = 0xCD; /* INT */
    *((uint8_t *)CODE_AT + PIECES * PIECE_BYTES + 1) = VECTOR_END;
}

static void attempt(const char *name) {
    struct regs in = regs_ring3((const void *)CODE_AT);
    in.esi = CODE_AT;
    in.ecx = PIECES;
    in.eax = 0;
    run(&in);
    report(name, &in);
}

void guest_main(void) {
    fill(true);
    attempt("first");
    *(volatile uint8_t *)common = *(volatile const uint8_t *)common;
    attempt("to a younger one");
    fill(false);
    attempt("changed");
}
