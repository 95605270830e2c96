/* U/S, R/W and CR0.WP: every combination of directory and table rights by ring, access and WP (SDM
 * vol 3A, 4.6.1), and the error code of every fault (4.7). */
#include "guest.h"

CODE(read1, "movb (%esi), %al");
CODE(write1, "movb %al, (%esi)");
CODE(fetch, "jmp *%esi");

enum { PAGE = ARENA + 0x400000 };

static void attempt(const char *what, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = PAGE;
    in.eax = 0xCD; /* what is there already */
    run(&in);
    if (trap.vector == VECTOR_END)
        printf(" %s%d ok", what, ring);
    else if (trap.vector == 14 && trap.cr2 == PAGE)
        printf(" %s%d %x", what, ring, trap.error);
    else
        printf(" %s%d %s(%x) cr2=%08x", what, ring, vector_name(trap.vector), trap.error, trap.cr2);
    if (trap.vector == 14 && trap.regs.eip != (code == fetch ? PAGE : in.eip))
        printf(" eip=%08x", trap.regs.eip);
}

static void row(void) {
    attempt("r", read1, 0);
    attempt("w", write1, 0);
    attempt("x", fetch, 0);
    attempt("r", read1, 3);
    attempt("w", write1, 3);
    attempt("x", fetch, 3);
    printf("\n");
}

void guest_main(void) {
    ((volatile uint8_t *)PAGE)[0] = 0xCD;
    ((volatile uint8_t *)PAGE)[1] = VECTOR_END;
    paging_init();
    for (int wp = 0; wp < 2; wp++) {
        write_cr0(wp ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
        for (uint32_t pde = 0; pde < 8; pde++) {
            for (uint32_t pte = 0; pte < 8; pte++) {
                if ((!(pde & PTE_P) && pde) || (!(pte & PTE_P) && pte))
                    continue;
                *paging_pde(PAGE) = (*paging_pde(PAGE) & ~7u) | pde;
                *paging_pte(PAGE) = PAGE | pte;
                paging_flush();
                printf("wp%d pde %x pte %x:", wp, pde, pte);
                row();
                *paging_pde(PAGE) |= 7;
                *paging_pte(PAGE) = PAGE | 7;
                write_cr0(read_cr0() & ~CR0_WP);
                paging_flush();
                *(volatile uint8_t *)PAGE = 0xCD;
                write_cr0(wp ? read_cr0() | CR0_WP : read_cr0());
            }
        }
    }

    /* WP changes take effect without a flush, and so do rights that only grow after a fault. */
    write_cr0(read_cr0() & ~CR0_WP);
    paging_set(PAGE, PAGE | PTE_P | PTE_U);
    *(volatile uint8_t *)PAGE = 0xCD;
    write_cr0(read_cr0() | CR0_WP);
    printf("WP set after a write:");
    row();
    write_cr0(read_cr0() & ~CR0_WP);
    printf("WP clear again:");
    row();
    *(volatile uint8_t *)PAGE = 0xCD;
    struct regs in = regs_ring3(write1);
    in.esi = PAGE;
    in.eax = 0xCD;
    run(&in);
    report("write, read-only", &in);
    *paging_pte(PAGE) = PAGE | PTE_ALL;
    invlpg(PAGE);
    run(&in);
    report("write, made writable", &in);

    /* Not-present entries keep whatever the guest stored in the other 31 bits. */
    *paging_pte(PAGE) = 0xDEADBEEE;
    invlpg(PAGE);
    run(&in);
    report("write, absent", &in);
    printf("entry %08x\n", *paging_pte(PAGE));
    /* A not-present to present change needs no invalidation. */
    *paging_pte(PAGE) = PAGE | PTE_ALL;
    run(&in);
    report("write, present without INVLPG", &in);
}
