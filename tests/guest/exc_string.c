/* String instructions that fault in the middle: ECX, ESI and EDI must stand exactly at the element
 * that faulted, and what came before it must be done (SDM vol 2B, REP: "the source and destination
 * registers point to the next string elements to be operated on"). Page at ARENA+4096 is absent. */
#include "guest.h"

CODE(rep_movsb, "rep movsb");
CODE(rep_movsl, "rep movsl");
CODE(rep_movsw, "rep movsw");
CODE(rep_stosb, "rep stosb");
CODE(rep_stosl, "rep stosl");
CODE(rep_lodsb, "rep lodsb");
CODE(repe_cmpsb, "repe cmpsb");
CODE(repne_scasb, "repne scasb");
CODE(movsb, "movsb");
CODE(std_movsl, "std; rep movsl");
CODE(std_stosb, "std; rep stosb");

enum { HOLE = ARENA + 4096, SIZE = 64 };

static void attempt(const char *name, const uint8_t *code, uint32_t esi, uint32_t edi,
                    uint32_t count) {
    for (int ring = 0; ring <= 3; ring += 3) {
        struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
        volatile uint8_t *below = (volatile uint8_t *)(HOLE - SIZE),
                         *above = (volatile uint8_t *)(HOLE + 4096);
        for (int i = 0; i < SIZE; i++)
            below[i] = above[i] = 0x55;
        in.esi = esi;
        in.edi = edi;
        in.ecx = count;
        in.eax = 0xA1A2A355;
        /* Flags of an interrupted REPE CMPS are the old ones by the SDM, the last comparison's on
         * some processors; these are both. */
        if (code == repe_cmpsb)
            in.eflags |= FLAG_ZF | FLAG_PF;
        run(&in);
        printf("ring%d ", ring);
        report(name, &in);
        printf("  bytes before and after the hole:");
        for (int i = SIZE - 12; i < SIZE; i++)
            printf(" %02x", below[i]);
        printf(" |");
        for (int i = 0; i < 8; i++)
            printf(" %02x", above[i]);
        printf("\n");
    }
}

#define ATTEMPT(code, esi, edi, count) attempt(#code, code, esi, edi, count)

void guest_main(void) {
    enum { SOURCE = ARENA + 0x10000 };
    for (uint32_t i = 0; i < 8192; i++)
        ((volatile uint8_t *)SOURCE)[i] = (uint8_t)(i + 1);
    paging_init();
    paging_set(HOLE, 0);

    ATTEMPT(rep_movsb, SOURCE, HOLE - 5, 100);
    ATTEMPT(rep_movsb, HOLE - 5, SOURCE + 4096, 100);
    ATTEMPT(rep_movsw, SOURCE, HOLE - 6, 100);
    ATTEMPT(rep_movsl, SOURCE, HOLE - 12, 100);
    ATTEMPT(rep_movsl, SOURCE, HOLE - 10, 100);
    ATTEMPT(rep_movsl, HOLE - 10, SOURCE + 4096, 100);
    ATTEMPT(rep_movsl, SOURCE, HOLE, 0);
    ATTEMPT(rep_stosb, 0, HOLE - 3, 100);
    ATTEMPT(rep_stosl, 0, HOLE - 8, 0x40000000);
    ATTEMPT(rep_stosl, 0, HOLE - 7, 3);
    ATTEMPT(rep_lodsb, HOLE - 7, 0, 100);
    ATTEMPT(movsb, SOURCE, HOLE, 1);
    ATTEMPT(movsb, HOLE, SOURCE, 1);
    ATTEMPT(std_movsl, SOURCE + 4092, HOLE + 4096 + 8, 100);
    ATTEMPT(std_stosb, 0, HOLE + 4096 + 3, 100);
    for (uint32_t i = 0; i < 100; i++)
        ((volatile uint8_t *)SOURCE)[i] = 0x55;
    ATTEMPT(repe_cmpsb, SOURCE, HOLE - 9, 100);
    ATTEMPT(repe_cmpsb, HOLE - 9, SOURCE, 100);
    *(volatile uint8_t *)(SOURCE + 4) = 0x56;
    ATTEMPT(repe_cmpsb, SOURCE, HOLE - 9, 100);
    for (uint32_t i = 0; i < 100; i++)
        ((volatile uint8_t *)SOURCE)[i] = 0x66;
    struct regs in = regs_ring3(repne_scasb);
    in.edi = HOLE - 20;
    in.ecx = 50;
    in.eax = 0x54;
    for (int i = 1; i <= 20; i++)
        ((volatile uint8_t *)HOLE)[-i] = 0;
    run(&in);
    report("repne_scasb runs into the hole", &in);
    ((volatile uint8_t *)HOLE)[-4] = 0x54;
    run(&in);
    report("repne_scasb stops before the hole", &in);

    /* The page turns read-only: the same for writes. */
    paging_set(HOLE, HOLE | PTE_P | PTE_U);
    in = regs_ring3(rep_stosl);
    in.edi = HOLE - 8;
    in.ecx = 5;
    run(&in);
    report("rep_stosl into a read-only page", &in);
    in = regs_ring3(rep_movsl);
    in.esi = HOLE - 4;
    in.edi = HOLE - 8;
    in.ecx = 3;
    run(&in);
    report("rep_movsl onto a read-only page", &in);
}
