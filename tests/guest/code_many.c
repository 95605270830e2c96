/* More code than a translation cache holds: 250,000 of the shortest blocks, run again, changed, run
 * in another ring. */
#include "guest.h"

enum { CODE_AT = ARENA_LARGE, BLOCKS = 250 * 1000 };

static void fill(uint8_t first) {
    uint8_t *p = (uint8_t *)CODE_AT;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        *p++ = (uint8_t)(first + i % 2); /* INC r32 */
        *p++ = 0xEB;                     /* JMP to the next */
        *p++ = 0;
    }
    *p++ = 0xCD;
    *p = VECTOR_END;
}

static void attempt(const char *name, int ring) {
    const void *code = (const void *)CODE_AT;
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    run(&in);
    report(name, &in);
}

void guest_main(void) {
    fill(0x40); /* EAX, ECX */
    attempt("first", 3);
    attempt("again", 3);
    fill(0x42); /* EDX, EBX */
    attempt("changed", 0);
}
