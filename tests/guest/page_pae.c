/* PAE paging: 4 KiB and 2 MiB pages, A and D bits, the four PDPTEs that only a CR3 load reads, and
 * reserved bits in them (SDM vol 3A, 4.4). */
#include "guest.h"

CODE(read4, "movl (%esi), %eax");
CODE(write4, "movl %eax, (%esi)");
CODE(load_cr3, "movl %eax, %cr3");

enum { PAGE = ARENA + 0x400000, HIGH = 0x40000000, LARGE = ARENA_LARGE };

static volatile uint32_t *at(uint32_t gla) {
    return (volatile uint32_t *)gla;
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t esi) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = esi;
    in.eax = esi;
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
}

static void show(const char *what, uint32_t gla) {
    printf("%s: pde %x pte %x\n", what, (uint32_t)*paging_pae_pde(gla) & 0xFF,
           (uint32_t)*paging_pae_pte(gla) & 0xFF);
}

void guest_main(void) {
    uint64_t *pdpt = (uint64_t *)PAGE_TABLES;
    *at(PAGE) = 0x01020304;
    *at(LARGE + 0x123000) = 0x05060708;
    paging_init_pae();
    printf("cr0 %s, cr4 %x\n", read_cr0() & CR0_PG ? "paging" : "no paging", read_cr4());
    show("untouched", PAGE);
    printf("read %08x\n", *at(PAGE));
    show("read", PAGE);
    *at(PAGE) = 0x11223344;
    show("written", PAGE);

    *paging_pae_pte(PAGE) = PAGE | PTE_P | PTE_U;
    *paging_pae_pde(PAGE) &= ~(uint64_t)(PTE_A | PTE_D);
    paging_flush();
    attempt("read-only, read", read4, 3, PAGE);
    attempt("read-only, write", write4, 3, PAGE);
    attempt("read-only, write", write4, 0, PAGE);
    *paging_pae_pte(PAGE) = PAGE | PTE_P | PTE_W;
    paging_flush();
    attempt("supervisor, write", write4, 3, PAGE);
    *paging_pae_pte(PAGE) = 0;
    paging_flush();
    attempt("absent, read", read4, 0, PAGE);
    *paging_pae_pde(PAGE) = 0;
    paging_flush();
    attempt("directory entry absent, write", write4, 3, PAGE);

    /* 2 MiB pages: no CR4.PSE needed. */
    uint64_t *directory = (uint64_t *)(PAGE_TABLES + 2 * 4096);
    directory[0] = LARGE | PTE_PS | PTE_ALL;
    directory[1] = LARGE | PTE_PS | PTE_P | PTE_U;
    paging_flush();
    printf("2 MiB: %08x\n", *at(HIGH + 0x123000));
    printf("bits %x %x\n", (uint32_t)directory[0] & 0xFF, (uint32_t)directory[1] & 0xFF);
    *at(HIGH + 0x123000) = 0x99;
    printf("bits %x %x, frame %x\n", (uint32_t)directory[0] & 0xFF, (uint32_t)directory[1] & 0xFF,
           *at(LARGE + 0x123000));
    attempt("2 MiB read-only, read", read4, 3, HIGH + 0x200000 + 0x123000);
    attempt("2 MiB read-only, write", write4, 3, HIGH + 0x200000 + 0x123000);
    attempt("2 MiB across the end", read4, 3, HIGH + 0x3FFFFE);

    /* A PDPTE changed in memory counts only after CR3 is loaded. */
    pdpt[1] = 0;
    paging_flush();
    attempt("PDPTE absent", read4, 3, HIGH);
    pdpt[1] = (PAGE_TABLES + 2 * 4096) | PTE_P;
    attempt("PDPTE present in memory only", read4, 3, HIGH);
    paging_flush();
    attempt("PDPTE loaded", read4, 3, HIGH + 0x123000);
    printf("PDPTE %08x\n", (uint32_t)pdpt[1]);

    /* Reserved bits of a present PDPTE: #GP(0) at the CR3 load, CR3 unchanged. */
    static const uint64_t bad[] = {PTE_W,  PTE_U, PTE_A,      PTE_D,
                                   PTE_PS, PTE_G, 1ull << 52, 1ull << 63};
    uint64_t *other = (uint64_t *)paging_new_page();
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (int j = 0; j < 4; j++)
            other[j] = pdpt[j];
        other[2] |= bad[i];
        struct regs in = regs_ring0(load_cr3);
        in.eax = (uint32_t)other;
        run(&in);
        printf("PDPTE bits %08x%08x: %s\n", (uint32_t)(bad[i] >> 32), (uint32_t)bad[i],
               trap.vector == 13 && read_cr3() == PAGE_TABLES ? "#GP" : vector_name(trap.vector));
        other[2] &= ~1ull;
        run(&in);
        printf("  absent: %s\n", trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
        write_cr3(PAGE_TABLES);
    }
    /* CR3 is 32-byte aligned with PAE: a table in the middle of a page. */
    for (int j = 0; j < 4; j++)
        other[4 + j] = pdpt[j];
    write_cr3((uint32_t)(other + 4));
    printf("cr3 offset %x: %08x\n", read_cr3() & 0xFFF, *at(HIGH + 0x123000));
    write_cr3(PAGE_TABLES);
}
