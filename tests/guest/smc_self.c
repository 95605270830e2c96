/* Instructions that overwrite themselves: REP MOVS and STOS that run over their own bytes and what
 * follows (the iterations go on as they began, the next fetch sees the new bytes), PUSH and CALL
 * onto code, an exchange with its own opcode (SDM vol 3A, 8.1.3, 11.6; vol 2B, REP). */
#include "guest.h"

enum { CODE_AT = ARENA, BYTES = 96 };

static volatile uint8_t *const code = (volatile uint8_t *)CODE_AT;

static void place(const uint8_t *bytes, uint32_t n, uint32_t at) {
    for (uint32_t i = 0; i < n; i++)
        code[at + i] = bytes[i];
}

static void clear(void) {
    for (uint32_t i = 0; i < BYTES; i++)
        code[i] = 0x90;
    code[BYTES] = 0xCD;
    code[BYTES + 1] = VECTOR_END;
}

static void show(const char *name, struct regs in) {
    run(&in);
    printf("  ");
    report(name, &in);
}

static void all(int ring) {
    struct regs in = ring ? regs_ring3((const void *)CODE_AT) : regs_ring0((const void *)CODE_AT);
    /* REP STOSB from its own first byte on: 40h is INC EAX. */
    for (uint32_t from = 0; from < 4; from++) {
        clear();
        static const uint8_t stos[] = {0xF3, 0xAA, 0x43};
        place(stos, sizeof stos, 8);
        in.eax = 0x40;
        in.ecx = 16;
        in.edi = CODE_AT + 8 + from;
        show("REP STOSB", in);
    }
    /* Downwards over itself. */
    clear();
    static const uint8_t down[] = {0xFD, 0xF3, 0xAA, 0xFC, 0x43};
    place(down, sizeof down, 8);
    in.eax = 0x40;
    in.ecx = 12;
    in.edi = CODE_AT + 12;
    show("STD, REP STOSB", in);
    /* REP MOVSD: the whole instruction and what follows is replaced by other code. */
    clear();
    static const uint8_t movs[] = {0xF3, 0xA5, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43};
    static const uint8_t source[] = {0x47, 0x47, 0x41, 0x41, 0x41, 0x41, 0x42, 0x42};
    place(movs, sizeof movs, 8);
    place(source, sizeof source, 64);
    in.eax = 0;
    in.ecx = 2;
    in.esi = CODE_AT + 64;
    in.edi = CODE_AT + 8;
    show("REP MOVSD", in);
    /* Single ones. */
    clear();
    static const uint8_t stosd[] = {0xAB, 0x43, 0x43, 0x43, 0x43};
    place(stosd, sizeof stosd, 8);
    in.eax = 0x41414141;
    in.edi = CODE_AT + 8;
    show("STOSD", in);
    in.ecx = 0x22222222;
    clear();
    static const uint8_t xchg[] = {0x87, 0x07, 0x43, 0x43};
    place(xchg, sizeof xchg, 8);
    in.eax = 0x41419090;
    in.edi = CODE_AT + 8;
    show("XCHG", in);
    clear();
    static const uint8_t add[] = {0x80, 0x07, 0x01, 0x43}; /* ADD byte [EDI], 1: 80h becomes 81h */
    place(add, sizeof add, 8);
    in.edi = CODE_AT + 8;
    show("ADD", in);
    printf("  byte %02x\n", code[8]);
    if (!ring)
        return;
    /* The stack lies on the code; in ring 0 run() would use it first. */
    clear();
    static const uint8_t push[] = {0x50, 0x43, 0x43, 0x43, 0x43, 0x43};
    place(push, sizeof push, 8);
    in.eax = 0x41414141;
    in.esp = CODE_AT + 13;
    show("PUSH", in);
    clear();
    static const uint8_t call[] = {0xE8, 0x02, 0, 0, 0, 0x43, 0x43, 0x42, 0x42, 0x42, 0x42};
    place(call, sizeof call, 8);
    in.esp = CODE_AT + 19; /* the return address replaces the target's first instructions */
    show("CALL", in);
}

void guest_main(void) {
    for (int paging = 0; paging < 2; paging++) {
        if (paging)
            paging_init();
        for (int ring = 0; ring <= 3; ring += 3) {
            printf("%s, ring %d\n", paging ? "paging" : "no paging", ring);
            all(ring);
        }
    }
}
