/* Reserved bits in page-table entries: #PF with RSVD (bit 3) and P (bit 0) whatever the rights,
 * only in entries that are present (SDM vol 3A, 4.3 table 4-4, 4.4 tables 4-9 to 4-11, 4.7). */
#include "guest.h"

CODE(read1, "movb (%esi), %al");
CODE(write1, "movb %al, (%esi)");

enum { PAGE = ARENA, HIGH = 0x40000000 };

static void attempt(const char *name, uint32_t esi) {
    static const uint8_t *const code[] = {read1, write1};
    printf("%s:", name);
    for (int i = 0; i < 4; i++) {
        struct regs in = i & 2 ? regs_ring3(code[i & 1]) : regs_ring0(code[i & 1]);
        in.esi = esi;
        run(&in);
        if (trap.vector == VECTOR_END)
            printf(" end");
        else
            printf(" %s(%04x)%s", vector_name(trap.vector), trap.error,
                   trap.vector != 14 || trap.cr2 == esi ? "" : " wrong CR2");
    }
    printf("\n");
}

void guest_main(void) {
    paging_init();
    write_cr4(CR4_PSE);
    *paging_pde(HIGH) = ARENA_LARGE | PTE_PS | PTE_ALL;
    paging_flush();
    attempt("4 MiB", HIGH);
    *paging_pde(HIGH) = ARENA_LARGE | PTE_PS | PTE_ALL | 1 << 21;
    paging_flush();
    attempt("4 MiB, bit 21", HIGH);
    *paging_pde(HIGH) = ARENA_LARGE | PTE_PS | 1 << 21;
    paging_flush();
    attempt("4 MiB absent, bit 21", HIGH);
    *paging_pde(HIGH) = ARENA_LARGE | PTE_PS | PTE_P | 1 << 21;
    paging_flush();
    attempt("4 MiB supervisor read-only, bit 21", HIGH);
    paging_off();

    paging_init_pae();
    uint64_t *directory = (uint64_t *)(PAGE_TABLES + 2 * 4096);
    static const int bits[] = {52, 57, 62, 63};
    for (unsigned i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        printf("PAE bit %d\n", bits[i]);
        paging_pae_set(PAGE, PAGE | PTE_ALL | 1ull << bits[i]);
        attempt("PTE", PAGE);
        paging_pae_set(PAGE, PAGE | 1ull << bits[i]);
        attempt("PTE absent", PAGE);
        paging_pae_set(PAGE, PAGE | PTE_ALL);
        directory[0] = (uint32_t)paging_pae_pte(PAGE) | PTE_ALL | 1ull << bits[i];
        paging_flush();
        attempt("PDE", HIGH);
        directory[0] = ARENA_LARGE | PTE_PS | PTE_ALL | 1ull << bits[i];
        paging_flush();
        attempt("2 MiB PDE", HIGH);
    }
    directory[0] = ARENA_LARGE | PTE_PS | PTE_ALL | 1 << 13;
    paging_flush();
    attempt("2 MiB PDE, bit 13", HIGH);
    directory[0] = ARENA_LARGE | PTE_PS | PTE_ALL | 1 << 20;
    paging_flush();
    attempt("2 MiB PDE, bit 20", HIGH);
}
