/* 4 MiB pages (CR4.PSE): mapping, A and D in the directory entry, rights, error codes, mixing with
 * 4 KiB pages, splitting one, PSE off (SDM vol 3A, 4.3 figure 4-4, table 4-4). */
#include "guest.h"

CODE(read1, "movl (%esi), %eax");
CODE(write1, "movl %eax, (%esi)");

enum { LARGE = ARENA_LARGE, VIRTUAL = 0x80000000, SIZE = 0x400000 };

static volatile uint32_t *at(uint32_t gla) {
    return (volatile uint32_t *)gla;
}

static void set(uint32_t gla, uint32_t pde) {
    *paging_pde(gla) = pde;
    paging_flush();
}

static void show(const char *what, uint32_t gla) {
    printf("%s: pde bits %03x\n", what, *paging_pde(gla) & 0xFFF);
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t esi) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = esi;
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
}

void guest_main(void) {
    for (uint32_t i = 0; i < SIZE; i += 4096)
        *at(LARGE + i) = 0xC0000000 | i;
    paging_init();
    write_cr4(CR4_PSE);

    set(VIRTUAL, LARGE | PTE_PS | PTE_ALL);
    show("mapped", VIRTUAL);
    bool right = true;
    for (uint32_t i = 0; i < SIZE; i += 4096)
        right &= *at(VIRTUAL + i) == (0xC0000000 | i);
    printf("content %s\n", right ? "right" : "wrong");
    show("read", VIRTUAL);
    *at(VIRTUAL + 0x3FF000) = 7;
    show("written", VIRTUAL);
    printf("through the frame: %x\n", *at(LARGE + 0x3FF000));
    set(VIRTUAL, LARGE | PTE_PS | PTE_ALL);
    *at(LARGE + 0x3FF000) = 8;
    show("written through another mapping", VIRTUAL);
    printf("through the large page: %x\n", *at(VIRTUAL + 0x3FF000));

    attempt("beyond the page", read1, 3, VIRTUAL + SIZE);
    attempt("across its end", read1, 3, VIRTUAL + SIZE - 2);
    set(VIRTUAL, LARGE | PTE_PS | PTE_P | PTE_U);
    attempt("read-only, read", read1, 3, VIRTUAL + 0x1000);
    attempt("read-only, write", write1, 3, VIRTUAL + 0x1000);
    attempt("read-only, write", write1, 0, VIRTUAL + 0x1000);
    show("after the supervisor's write", VIRTUAL);
    set(VIRTUAL, LARGE | PTE_PS | PTE_P | PTE_W);
    attempt("supervisor, read", read1, 3, VIRTUAL + 0x1000);
    attempt("supervisor, read", read1, 0, VIRTUAL + 0x1000);
    set(VIRTUAL, LARGE | PTE_PS);
    attempt("absent, write", write1, 3, VIRTUAL + 0x1234);

    /* Split: the same 4 MiB through a table, one page of it elsewhere. */
    uint32_t *table = (uint32_t *)paging_new_page();
    for (uint32_t i = 0; i < 1024; i++)
        table[i] = (LARGE + i * 4096) | PTE_ALL;
    table[5] = ARENA | PTE_ALL;
    *at(ARENA) = 0xAAAA5555;
    set(VIRTUAL, LARGE | PTE_PS | PTE_ALL);
    printf("large %08x", *at(VIRTUAL + 5 * 4096));
    set(VIRTUAL, (uint32_t)table | PTE_ALL);
    printf(" split %08x %08x", *at(VIRTUAL + 5 * 4096), *at(VIRTUAL + 6 * 4096));
    set(VIRTUAL, LARGE | PTE_PS | PTE_ALL);
    printf(" joined %08x\n", *at(VIRTUAL + 5 * 4096));
    printf("table bits: %02x %02x %02x\n", table[4] & 0xE0, table[5] & 0xE0, table[6] & 0xE0);

    /* The kernel itself in a large page. */
    set(0, PTE_PS | PTE_ALL);
    attempt("code in a large page", read1, 3, 0x100000);
    show("low memory", 0);

    /* INVLPG drops the whole large page, whichever of its addresses is named. */
    *paging_pde(VIRTUAL) = (LARGE + SIZE) | PTE_PS | PTE_ALL;
    *at(LARGE + SIZE + 0x2000) = 0x12121212;
    invlpg(VIRTUAL + 0x123456);
    printf("after INVLPG: %08x\n", *at(VIRTUAL + 0x2000));

    /* Without CR4.PSE the PS bit is ignored and the entry points to a table. */
    set(0, (uint32_t)paging_pte(0) | PTE_ALL);
    write_cr4(0);
    set(VIRTUAL, (uint32_t)table | PTE_PS | PTE_ALL);
    printf("PSE off: %08x\n", *at(VIRTUAL + 5 * 4096));
}
