/* Every bit of every level's entries: which are reserved and bring #PF with RSVD (or #GP at the
 * load of CR3, for PDPTEs), which are ignored; 4 KiB, 4 MiB, 2 MiB pages, CR4.PSE and EFER.NXE on
 * and off (SDM vol 3A, 4.3 tables 4-4 to 4-6, 4.4 tables 4-8 to 4-11, 4.7). */
#include "guest.h"

enum { GLA = 0x40000000, FRAME = ARENA_LARGE };

CODE(touch, "movl (%esi), %eax");
CODE(load_cr3, "movl %eax, %cr3");

static char outcome(void) {
    struct regs in = regs_ring3(touch);
    in.esi = GLA;
    run(&in);
    if (trap.vector == VECTOR_END)
        return '.';
    if (trap.vector != 14 || trap.cr2 != GLA)
        return '?';
    return trap.error == 0xD ? 'R' : trap.error == 4 ? 'a' : trap.error == 5 ? 'p' : '!';
}

/* One letter a bit, from bit `from` up: reserved, ignored or address (.), absent, protection. */
static void bits32(const char *name, volatile uint32_t *entry, uint32_t from, uint32_t to) {
    uint32_t saved = *entry;
    printf("%s, bits %u-%u: ", name, from, to);
    for (uint32_t bit = from; bit <= to; bit++) {
        *entry = saved ^ 1u << bit;
        paging_flush();
        serial_putc(outcome());
    }
    *entry = saved;
    paging_flush();
    printf("\n");
}

static void bits64(const char *name, volatile uint64_t *entry, uint32_t from, uint32_t to) {
    uint64_t saved = *entry;
    printf("%s, bits %u-%u: ", name, from, to);
    for (uint32_t bit = from; bit <= to; bit++) {
        *entry = saved ^ 1ull << bit;
        paging_flush();
        serial_putc(outcome());
    }
    *entry = saved;
    paging_flush();
    printf("\n");
}

/* The bits from MAXPHYADDR to 62, which are all alike, and 63. */
static void upper_bits(const char *name, volatile uint64_t *entry, uint32_t maxphys) {
    uint64_t saved = *entry;
    char first = 0, bit63 = 0;
    for (uint32_t bit = maxphys; bit <= 63; bit++) {
        *entry = saved ^ 1ull << bit;
        paging_flush();
        char now = outcome();
        if (bit == 63)
            bit63 = now;
        else
            first = first == 0 || first == now ? now : '?';
    }
    *entry = saved;
    paging_flush();
    printf("%s, above the address: %c, bit 63: %c\n", name, first, bit63);
}

static void two_levels(void) {
    uint32_t *table = (uint32_t *)paging_new_page();
    volatile uint32_t *pde = paging_pde(GLA);
    *pde = (uint32_t)table | PTE_ALL;
    table[0] = FRAME | PTE_ALL;
    bits32("PTE", &table[0], 0, 11);
    bits32("PDE", pde, 0, 11);
    *pde = (uint32_t)table | PTE_ALL | PTE_PS;
    paging_flush();
    printf("PS without CR4.PSE: %c\n", outcome());
    write_cr4(CR4_PSE);
    *pde = FRAME | PTE_ALL | PTE_PS;
    bits32("4 MiB", pde, 0, 6);
    bits32("4 MiB", pde, 8, 21);
    *pde = FRAME | PTE_PS | 1u << 21;
    paging_flush();
    printf("4 MiB absent: %c\n", outcome());
}

/* Which bits of a PDPTE make the load of CR3 fail; of an absent one, none. */
static void pdptes(uint32_t maxphys) {
    volatile uint64_t *pdpt = (volatile uint64_t *)PAGE_TABLES;
    uint32_t above = 0, absent = 0;
    printf("PDPTE, bits 1-11: ");
    for (uint32_t bit = 1; bit < 64; bit++) {
        if (bit >= 12 && bit < maxphys)
            continue;
        uint64_t saved = pdpt[3];
        pdpt[3] = 1 | 1ull << bit;
        struct regs in = regs_ring0(load_cr3);
        in.eax = PAGE_TABLES;
        run(&in);
        char now = trap.vector == VECTOR_END ? '.' : trap.vector == 13 ? 'G' : '?';
        if (bit < 12)
            serial_putc(now);
        else
            above += now == 'G';
        pdpt[3] = 1ull << bit;
        run(&in);
        absent += trap.vector != VECTOR_END;
        pdpt[3] = saved;
        run(&in);
    }
    printf(", above the address: %s, absent: %u\n", above == 64 - maxphys ? "all" : "not all",
           absent);
}

static void three_levels(bool nx, uint32_t maxphys) {
    volatile uint64_t *directory = (volatile uint64_t *)paging_new_page();
    volatile uint64_t *table = (volatile uint64_t *)paging_new_page();
    volatile uint64_t *pdpt = (volatile uint64_t *)PAGE_TABLES;
    pdpt[1] = (uint32_t)directory | 1;
    write_cr3(PAGE_TABLES);
    wrmsr(0xC0000080, nx ? 0x800 : 0);
    printf("NXE %d\n", nx);
    directory[0] = (uint32_t)table | PTE_ALL;
    table[0] = FRAME | PTE_ALL;
    bits64("PTE", &table[0], 0, 11);
    upper_bits("PTE", &table[0], maxphys);
    bits64("PDE", &directory[0], 0, 6);
    bits64("PDE", &directory[0], 8, 11);
    upper_bits("PDE", &directory[0], maxphys);
    directory[0] = FRAME | PTE_ALL | PTE_PS;
    bits64("2 MiB", &directory[0], 0, 6);
    bits64("2 MiB", &directory[0], 8, 20);
    upper_bits("2 MiB", &directory[0], maxphys);
}

void guest_main(void) {
    paging_init();
    two_levels();
    paging_off();
    uint32_t maxphys = cpuid(0x80000008).eax & 0xFF;
    paging_init_pae();
    pdptes(maxphys);
    three_levels(false, maxphys);
    three_levels(true, maxphys);
    wrmsr(0xC0000080, 0);
}
