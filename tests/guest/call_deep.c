/* Calls nested deeper than a monitor may keep track of, with something new at the bottom: from
 * 16,300 to 16,428 and 100,000 deep, in rings 0 and 3; calls that never return,
 * returns by other means, an instruction at each level that is not the program's own business (SDM
 * vol 2, CALL, RET, STR). */
#include "guest.h"

/* Copies of a function that calls itself EAX times and counts its returns in ECX; the branch at the
 * bottom is taken once in each. */
enum { COPY_BYTES = 32, COPIES = 128 };
CODE(copies,
     ".rept 128; .balign 32; call 1f; int $0xf0; 1: decl %eax; jz 2f; call 1b; incl %ecx; 2: "
     "ret; .endr");
/* The same with an instruction at each level that a monitor has to look at. */
CODE(privileged, "call 1f; int $0xf0; 1: str %dx; decl %eax; jz 2f; call 1b; incl %ecx; 2: ret");
CODE(call_only, "1: call 2f; 2: decl %eax; jnz 1b");
/* Each level leaves to its caller's caller. */
CODE(skip, "call 1f; int $0xf0; 1: decl %eax; jz 2f; call 1b; incl %ecx; 2: popl %edx; jmp *%edx");

enum { STACK_TOP = 0x03F00000, FIRST_DEPTH = 16300 };

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t depth,
                    uint32_t want) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esp = STACK_TOP;
    in.eax = depth;
    in.ecx = 0;
    run(&in);
    if (trap.vector != VECTOR_END || trap.regs.ecx != want)
        printf("%s, depth %u, ring %d: ", name, depth, ring);
    if (trap.vector != VECTOR_END)
        report("unexpected", &in);
    else if (trap.regs.ecx != want)
        printf("%u returns\n", trap.regs.ecx);
}

void guest_main(void) {
    const uint8_t *first = (const uint8_t *)(((uint32_t)copies + 31) & ~31u);
    for (uint32_t i = 0; i < COPIES; i++) {
        attempt("nested", first + i * COPY_BYTES, i & 1 ? 3 : 0, FIRST_DEPTH + i,
                FIRST_DEPTH + i - 1);
        attempt("nested", first + i * COPY_BYTES, i & 1 ? 0 : 3, FIRST_DEPTH + i,
                FIRST_DEPTH + i - 1);
    }
    for (int ring = 0; ring <= 3; ring += 3) {
        attempt("nested", first, ring, 100000, 99999);
        attempt("nested, STR", privileged, ring, 100000, 99999);
        attempt("calls only", call_only, ring, 100000, 0);
        attempt("indirect returns", skip, ring, 40000, 39999);
    }
    printf("done\n");
}
