/* String instructions: every size, prefix and direction, 16-bit addressing, overlap, zero and large
 * counts (SDM vol 2, MOVS, CMPS, SCAS, LODS, STOS, REP). */
#include "guest.h"

CODE(movsb, "movsb");
CODE(movsw, "movsw");
CODE(movsl, "movsl");
CODE(rep_movsb, "rep movsb");
CODE(rep_movsl, "rep movsl");
CODE(repne_movsb, "repne movsb");
CODE(std_movsb, "std; rep movsb");
CODE(std_movsl, "std; rep movsl");
CODE(a16_movsb, "addr16 rep movsb");
CODE(stosb, "rep stosb");
CODE(stosw, "rep stosw");
CODE(stosl, "rep stosl");
CODE(std_stosw, "std; rep stosw");
CODE(lodsb, "rep lodsb");
CODE(lodsw, "lodsw");
CODE(lodsl, "rep lodsl");
CODE(cmpsb, "cmpsb");
CODE(repe_cmpsb, "repe cmpsb");
CODE(repne_cmpsb, "repne cmpsb");
CODE(repe_cmpsw, "repe cmpsw");
CODE(repe_cmpsl, "repe cmpsl");
CODE(scasb, "scasb");
CODE(repne_scasb, "repne scasb");
CODE(repe_scasb, "repe scasb");
CODE(repne_scasw, "repne scasw");
CODE(repne_scasl, "repne scasl");
CODE(std_repne_scasb, "std; repne scasb");
CODE(fs_movsb, "rep movsb %fs:(%esi), %es:(%edi)");
CODE(strlen_idiom, "xorl %eax, %eax; movl $-1, %ecx; repne scasb; notl %ecx; decl %ecx");

enum { SOURCE = ARENA, TARGET = ARENA + 0x1000 };

static void fill(void) {
    for (uint32_t i = 0; i < 64; i++) {
        ((volatile uint8_t *)SOURCE)[i] = (uint8_t)(i * 7 + 1);
        ((volatile uint8_t *)TARGET)[i] = (uint8_t)(i < 20 ? i * 7 + 1 : 0xEE);
    }
}

static void attempt(const char *name, const uint8_t *code, uint32_t esi, uint32_t edi, uint32_t ecx,
                    uint32_t eax) {
    struct regs in = regs_ring3(code);
    fill();
    in.esi = esi;
    in.edi = edi;
    in.ecx = ecx;
    in.eax = eax;
    run(&in);
    report(name, &in);
    uint32_t from = 64, to = 0;
    for (uint32_t i = 0; i < 64; i++) {
        bool source = ((volatile uint8_t *)SOURCE)[i] != (uint8_t)(i * 7 + 1);
        bool target = ((volatile uint8_t *)TARGET)[i] != (uint8_t)(i < 20 ? i * 7 + 1 : 0xEE);
        if (source)
            printf("  source+%u %02x\n", i, ((volatile uint8_t *)SOURCE)[i]);
        if (target && from == 64)
            from = i;
        if (target)
            to = i + 1;
    }
    if (from < to) {
        printf("  target+%u:", from);
        for (uint32_t i = from; i < to; i++)
            printf(" %02x", ((volatile uint8_t *)TARGET)[i]);
        printf("\n");
    }
}

#define ATTEMPT(code, esi, edi, ecx, eax) attempt(#code, code, esi, edi, ecx, eax)

void guest_main(void) {
    report_flags = FLAGS_STATUS | FLAG_DF;
    uint32_t s = SOURCE, t = TARGET;
    ATTEMPT(movsb, s, t + 30, 5, 0);
    ATTEMPT(movsw, s, t + 30, 5, 0);
    ATTEMPT(movsl, s, t + 30, 5, 0);
    ATTEMPT(rep_movsb, s, t + 30, 5, 0);
    ATTEMPT(rep_movsl, s, t + 30, 3, 0);
    ATTEMPT(rep_movsb, s, t + 30, 0, 0);
    ATTEMPT(repne_movsb, s, t + 30, 4, 0);
    ATTEMPT(std_movsb, s + 10, t + 40, 5, 0);
    ATTEMPT(std_movsl, s + 16, t + 40, 3, 0);
    ATTEMPT(rep_movsb, t + 28, t + 30, 10, 0); /* overlap: the first two bytes are repeated */
    ATTEMPT(rep_movsb, t, t + 1, 12, 0);
    ATTEMPT(rep_movsl, t, t + 1, 3, 0);
    ATTEMPT(std_movsb, t + 20, t + 21, 10, 0);
    ATTEMPT(stosb, 0, t + 25, 7, 0xAABBCCDD);
    ATTEMPT(stosw, 0, t + 25, 3, 0xAABBCCDD);
    ATTEMPT(stosl, 0, t + 25, 2, 0xAABBCCDD);
    ATTEMPT(std_stosw, 0, t + 30, 3, 0xAABBCCDD);
    ATTEMPT(lodsb, s, 0, 3, 0x99999999);
    ATTEMPT(lodsw, s, 0, 3, 0x99999999);
    ATTEMPT(lodsl, s, 0, 3, 0);
    ATTEMPT(cmpsb, s, t, 3, 0);
    ATTEMPT(cmpsb, s, t + 1, 3, 0);
    ATTEMPT(repe_cmpsb, s, t, 64, 0);
    ATTEMPT(repe_cmpsb, s, t, 20, 0);
    ATTEMPT(repe_cmpsb, s, t + 1, 20, 0);
    ATTEMPT(repne_cmpsb, s, t + 40, 10, 0);
    ATTEMPT(repne_cmpsb, s + 1, t + 1, 10, 0);
    ATTEMPT(repe_cmpsw, s, t, 32, 0);
    ATTEMPT(repe_cmpsl, s, t, 16, 0);
    ATTEMPT(repe_cmpsl, s, t, 0, 0);
    ATTEMPT(scasb, 0, t, 3, 0x11);
    ATTEMPT(repne_scasb, 0, t, 64, 0xEE);
    ATTEMPT(repne_scasb, 0, t, 10, 0xEE);
    ATTEMPT(repe_scasb, 0, t + 20, 64, 0xEE);
    ATTEMPT(repne_scasw, 0, t, 32, 0xEEEE);
    ATTEMPT(repne_scasl, 0, t, 16, 0xEEEEEEEE);
    ATTEMPT(std_repne_scasb, 0, t + 40, 64, 0x01);
    ATTEMPT(fs_movsb, s, t + 30, 3, 0);
    *(volatile uint8_t *)(TARGET + 19) = 0;
    for (uint32_t i = 0; i < 64; i++)
        ((volatile uint8_t *)(TARGET + 0x100))[i] = i == 37 ? 0 : 'x';
    ATTEMPT(strlen_idiom, 0, t + 0x100, 0, 5);

    /* 16-bit addresses: SI, DI and CX only, the upper halves kept. */
    for (uint32_t i = 0; i < 16; i++) {
        ((volatile uint8_t *)0x7000)[i] = (uint8_t)(0x50 + i);
        ((volatile uint8_t *)0x7100)[i] = 0;
    }
    ATTEMPT(a16_movsb, 0xABC07000, 0xDEF07100, 0x12340004, 0);
    printf("copied %08x\n", *(volatile uint32_t *)0x7100);

    /* A long one, over many pages. */
    uint32_t *from = (uint32_t *)ARENA_LARGE, *to = (uint32_t *)(ARENA_LARGE + 0x200000);
    for (uint32_t i = 0; i < 0x40000; i++)
        from[i] = i * 0x01000193;
    struct regs in = regs_ring3(rep_movsl);
    in.esi = (uint32_t)from;
    in.edi = (uint32_t)to + 2;
    in.ecx = 0x40000;
    run(&in);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 0x40000; i++)
        sum = sum * 31 + *(uint32_t *)((uint32_t)to + 2 + i * 4);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < 0x40000; i++)
        wanted = wanted * 31 + from[i];
    printf("1 MiB: ecx %x, %s\n", trap.regs.ecx, sum == wanted ? "right" : "wrong");
}
