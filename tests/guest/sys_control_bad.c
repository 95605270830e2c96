/* Control register values that would leave the machine in no defined state: CR4 bits no processor
 * has, PG without PE, PAE with PDPTEs that are not right. All #GP(0), nothing changed (SDM vol 3A,
 * 2.5 and 4.4.1). */
#include "guest.h"

CODE(load_cr0, "movl %eax, %cr0");
CODE(load_cr4, "movl %eax, %cr4");

static void attempt(const char *name, const uint8_t *code, uint32_t eax) {
    uint32_t cr0 = read_cr0(), cr4 = read_cr4();
    struct regs in = regs_ring0(code);
    in.eax = eax;
    run(&in);
    printf("%08x ", eax);
    report(name, &in);
    if (read_cr0() != cr0 || read_cr4() != cr4)
        printf("  changed: cr0 %08x cr4 %08x\n", read_cr0(), read_cr4());
}

void guest_main(void) {
    uint32_t base = read_cr0();
    for (int bit = 27; bit < 32; bit++)
        attempt("CR4", load_cr4, 1u << bit);
    attempt("CR0, PG without PE", load_cr0, (base | CR0_PG) & ~CR0_PE);
    /* PG with PAE reads the PDPTEs: a reserved bit in one stops it. */
    uint64_t *pdpt = (uint64_t *)ARENA;
    for (int i = 0; i < 4; i++)
        pdpt[i] = 0;
    pdpt[3] = ARENA_LARGE | PTE_P | PTE_W;
    write_cr4(CR4_PAE);
    write_cr3((uint32_t)pdpt);
    attempt("CR0, PG with a bad PDPTE", load_cr0, base | CR0_PG);
    write_cr4(0);
    paging_init();
    attempt("CR4, PAE under paging with a bad table", load_cr4, CR4_PAE);
}
