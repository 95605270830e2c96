/* A page that mixes code with data it writes all the time: a counter, a jump table, a small heap
 * and a routine generator in one page. Correctness under many writes; no timing. */
#include "guest.h"

enum { PAGE = ARENA, COUNTER = PAGE + 0x800, ROUTINES = PAGE + 0x100, STACK = PAGE + 0xFF0 };

typedef uint32_t routine(uint32_t n);

static void store(uint32_t at, const uint8_t *from, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        ((volatile uint8_t *)at)[i] = from[i];
}

void guest_main(void) {
    /* L: INC DWORD [COUNTER]; PUSH EAX; POP EBX; DEC ECX; JNZ L; INT F0, with the stack in the page
     */
    static const uint8_t loop[] = {0xFF, 0x05, 0x00, 0x08, 0x80, 0x00, 0x50,
                                   0x5B, 0x49, 0x75, 0xF5, 0xCD, 0xF0};
    store(PAGE, loop, sizeof loop);
    *(volatile uint32_t *)COUNTER = 0;
    for (int ring = 0; ring <= 3; ring += 3) {
        struct regs in = ring ? regs_ring3((void *)PAGE) : regs_ring0((void *)PAGE);
        in.ecx = 20000;
        in.esp = STACK;
        run(&in);
        printf("ring%d ", ring);
        report("loop over its own page", &in);
        printf("counter %u\n", *(volatile uint32_t *)COUNTER);
    }

    /* MOV EAX, [ESP+4]; ADD EAX, imm32; RET: generated, called, and its data kept beside it. */
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t at = ROUTINES + i % 16 * 16, imm = i * 0x01010101;
        uint8_t body[10] = {0x8B,
                            0x44,
                            0x24,
                            0x04,
                            0x05,
                            (uint8_t)imm,
                            (uint8_t)(imm >> 8),
                            (uint8_t)(imm >> 16),
                            (uint8_t)(imm >> 24),
                            0xC3};
        store(at, body, sizeof body);
        wrong += ((routine *)at)(i) != i + imm;
        *(volatile uint32_t *)(COUNTER + i % 64 * 4) = i;
        uint32_t other = ROUTINES + (i + 5) % 16 * 16;
        if (i >= 16) {
            uint32_t k = i - 11; /* what was generated there last */
            wrong += ((routine *)other)(1) != 1 + k * 0x01010101;
        }
    }
    printf("generated routines: %u wrong\n", wrong);

    /* Only the data changes: the code must keep working and see it. */
    static const uint8_t reader[] = {0xA1, 0x00, 0x08,
                                     0x80, 0x00, 0xC3}; /* MOV EAX, [COUNTER]; RET */
    store(PAGE + 0x40, reader, sizeof reader);
    wrong = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        *(volatile uint32_t *)COUNTER = i;
        wrong += ((routine *)(PAGE + 0x40))(0) != i;
    }
    printf("data beside code: %u wrong\n", wrong);

    /* A thunk whose operand the guest flips between two calls, as dynamic linkers and JITs do. */
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t thunk[6] = {0xB8, (uint8_t)i, (uint8_t)(i >> 8), 0, 0, 0xC3};
        if (i == 0)
            store(PAGE + 0x60, thunk, sizeof thunk);
        else
            *(volatile uint16_t *)(PAGE + 0x61) = (uint16_t)i;
        wrong += ((routine *)(PAGE + 0x60))(0) != i;
    }
    printf("patched operand: %u wrong\n", wrong);
}
