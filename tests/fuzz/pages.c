/* Random page tables: entries that point at anything - free memory, devices, nothing at all, the
 * tables themselves - with any flags, changed between accesses with and without INVLPG (SDM vol 3A,
 * chapter 4). The first 32 MiB stay as they are, but for free memory. */
#include "fuzz.h"

enum { FIRST_GLA = FUZZ_RAM, GLA_BYTES = 64 << 20 };

static uint32_t rnd_gla(void) {
    uint32_t gla = FIRST_GLA + below(GLA_BYTES);
    if (one_in(3))
        gla = (gla & ~0xFFFu) - below(18);
    if (one_in(16))
        gla = rnd_address();
    return gla;
}

static uint64_t rnd_entry(void) {
    uint32_t frame;
    switch (below(32)) {
    case 0: /* soon entries that no one has chosen */
        frame = FUZZ_TABLES + below(FUZZ_TABLE_COUNT) * 4096;
        break;
    case 1:
        frame = FUZZ_CODE + below(FUZZ_CODE_BYTES);
        break;
    case 2:
    case 3:
    case 4:
        frame = 0xA0000 + below(0x60000);
        break;
    case 5:
    case 6:
        frame = rnd() | 0x80000000; /* no RAM */
        break;
    default:
        frame = FUZZ_FREE + below(FUZZ_RAM - FUZZ_FREE);
    }
    uint64_t entry = (frame & ~0xFFFu) | (rnd() & 0xFFF);
    if (!one_in(8))
        entry |= PTE_P;
    if (one_in(2))
        entry |= PTE_W | PTE_U;
    if (frame < FUZZ_CODE)
        entry &= ~(uint64_t)PTE_PS; /* a large page would have the kernel in it */
    if (fuzz.pae && one_in(16))
        entry |= (uint64_t)rnd() << 32;
    return entry;
}

static void put_entry(uint32_t table, uint32_t index, uint64_t entry) {
    if (fuzz.pae)
        ((volatile uint64_t *)table)[index % 512] = entry;
    else
        ((volatile uint32_t *)table)[index % 1024] = (uint32_t)entry;
}

/* A directory entry, mostly with one of our tables. */
static void put_directory(uint32_t gla) {
    uint64_t entry =
        one_in(4) ? rnd_entry() : (FUZZ_TABLES + below(FUZZ_TABLE_COUNT) * 4096) | PTE_ALL;
    if (gla < FIRST_GLA)
        return;
    if (fuzz.pae)
        *(volatile uint64_t *)paging_pae_pde(gla) = entry;
    else
        *(volatile uint32_t *)paging_pde(gla) = (uint32_t)entry;
}

void pages_init(void) {
    for (uint32_t t = 0; t < FUZZ_TABLE_COUNT; t++)
        for (uint32_t i = 0; i < 1024; i++)
            put_entry(FUZZ_TABLES + t * 4096, i, rnd_entry());
    for (uint32_t gla = FIRST_GLA; gla < FIRST_GLA + GLA_BYTES; gla += 2 << 20)
        put_directory(gla);
}

static void change(void) {
    for (uint32_t n = below(4); n; n--)
        put_entry(FUZZ_TABLES + below(FUZZ_TABLE_COUNT) * 4096, rnd(), rnd_entry());
    if (one_in(8))
        put_directory(rnd_gla());
    if (one_in(8)) { /* an alias or a hole in the map of free memory */
        uint32_t gla = FUZZ_FREE + below(FUZZ_RAM - FUZZ_FREE);
        if (fuzz.pae)
            *(volatile uint64_t *)paging_pae_pte(gla) = rnd_entry();
        else
            *(volatile uint32_t *)paging_pte(gla) = (uint32_t)rnd_entry();
    }
    switch (below(16)) {
    case 0:
        paging_flush();
        break;
    case 1:
        fuzz.cr0 ^= CR0_WP;
        write_cr0(fuzz.cr0);
        break;
    case 2:
        fuzz.cr4 ^= CR4_PGE;
        write_cr4(fuzz.cr4);
        break;
    case 3:
        if (!fuzz.pae)
            fuzz.cr4 ^= CR4_PSE;
        write_cr4(fuzz.cr4);
        break;
    default:
        if (one_in(2))
            invlpg(rnd_gla());
    }
}

/* Accesses of every kind at [ESI] and [EDI]: length, then bytes. */
static const uint8_t accesses[][10] = {
    {2, 0x8A, 0x06},                            /* MOV AL, [ESI] */
    {2, 0x8B, 0x06},                            /* MOV EAX, [ESI] */
    {2, 0x88, 0x06},                            /* MOV [ESI], AL */
    {2, 0x89, 0x06},                            /* MOV [ESI], EAX */
    {3, 0x66, 0x89, 0x07},                      /* MOV [EDI], AX */
    {2, 0x01, 0x06},                            /* ADD [ESI], EAX */
    {3, 0xF0, 0xFF, 0x07},                      /* LOCK INC DWORD [EDI] */
    {4, 0xF0, 0x0F, 0xC1, 0x06},                /* LOCK XADD [ESI], EAX */
    {2, 0x87, 0x06},                            /* XCHG [ESI], EAX */
    {3, 0x0F, 0xC7, 0x0E},                      /* CMPXCHG8B [ESI] */
    {3, 0x0F, 0xB1, 0x0E},                      /* CMPXCHG [ESI], ECX */
    {1, 0xA4},                                  /* MOVSB */
    {1, 0xA5},                                  /* MOVSD */
    {2, 0xF3, 0xA4},                            /* REP MOVSB */
    {2, 0xF3, 0xA5},                            /* REP MOVSD */
    {2, 0xF3, 0xAB},                            /* REP STOSD */
    {2, 0xF3, 0xA6},                            /* REPE CMPSB */
    {2, 0xF2, 0xAE},                            /* REPNE SCASB */
    {1, 0xFD},                                  /* STD */
    {3, 0x0F, 0xAE, 0x06},                      /* FXSAVE [ESI] */
    {3, 0x0F, 0xAE, 0x0E},                      /* FXRSTOR [ESI] */
    {2, 0xDD, 0x06},                            /* FLD QWORD [ESI] */
    {2, 0xDB, 0x3F},                            /* FSTP TBYTE [EDI] */
    {2, 0xDD, 0x37},                            /* FNSAVE [EDI] */
    {3, 0x0F, 0x10, 0x06},                      /* MOVUPS XMM0, [ESI] */
    {3, 0x0F, 0x11, 0x07},                      /* MOVUPS [EDI], XMM0 */
    {3, 0x0F, 0x28, 0x06},                      /* MOVAPS XMM0, [ESI] */
    {3, 0x0F, 0xF7, 0xC1},                      /* MASKMOVQ MM0, MM1 */
    {2, 0xFF, 0xE6},                            /* JMP ESI */
    {2, 0xFF, 0x16},                            /* CALL [ESI] */
    {2, 0xFF, 0x36},                            /* PUSH DWORD [ESI] */
    {2, 0x8F, 0x07},                            /* POP DWORD [EDI] */
    {2, 0x89, 0xF4},                            /* MOV ESP, ESI */
    {1, 0x60},                                  /* PUSHA */
    {1, 0x61},                                  /* POPA */
    {4, 0xC8, 0x40, 0x00, 0x03},                /* ENTER 64, 3 */
    {3, 0x0F, 0xAB, 0x06},                      /* BTS [ESI], EAX */
    {5, 0xF0, 0x0F, 0xBA, 0x37, 0x1F},          /* LOCK BTR DWORD [EDI], 31 */
    {2, 0x8E, 0x06},                            /* MOV ES, [ESI] */
    {2, 0xC4, 0x06},                            /* LES EAX, [ESI] */
    {3, 0x0F, 0x01, 0x3E},                      /* INVLPG [ESI] */
    {8, 0xB8, 0, 0, 0x40, 0, 0x0F, 0x22, 0xD8}, /* MOV EAX, PAGE_TABLES; MOV CR3, EAX */
    {2, 0xCD, 0x80},                            /* INT 80H */
    {2, 0x66, 0xCF},                            /* IRETW */
    {1, 0xCF},                                  /* IRETD */
    /* rare, as few runs go on behind them */
    {3, 0x0F, 0x01, 0x16}, /* LGDT [ESI] */
    {3, 0x0F, 0x01, 0x1F}, /* LIDT [EDI] */
};
enum { ACCESSES = sizeof accesses / sizeof accesses[0], RARE = 2 };

void round_pages(void) {
    uint8_t *code = (uint8_t *)(FUZZ_CODE + below(FUZZ_CODE_BYTES / 128) * 128);
    uint32_t at = 0;
    change();
    for (uint32_t n = 1 + below(6); n; n--) {
        const uint8_t *access = accesses[below(one_in(200) ? ACCESSES : ACCESSES - RARE)];
        for (uint32_t i = 1; i <= access[0]; i++)
            code[at++] = access[i];
        if (one_in(4)) {
            code[at++] = (uint8_t)(0xBE + below(2)); /* MOV ESI or EDI, imm32 */
            for (uint32_t i = 0, gla = rnd_gla(); i < 4; i++, gla >>= 8)
                code[at++] = (uint8_t)gla;
        }
    }
    code[at++] = 0xCD;
    code[at++] = VECTOR_END;
    struct regs in = attempt_regs((uint32_t)code);
    in.esi = rnd_gla();
    in.edi = rnd_gla();
    in.ecx = below(3000);
    in.eax = one_in(64) ? in.eax : fuzz.cr3;
    if (one_in(8))
        in.esp = rnd_gla();
    attempt_from(&in);
}
