/* Address-space switches: eight directories map the same linear pages to different frames; each
 * must see its own, also after its tables changed while it was not loaded (SDM vol 3A, 4.10.4). */
#include "guest.h"

CODE(user_sum, "movl (%esi), %eax; addl 4096(%esi), %eax; movl %eax, 8192(%esi)");

enum { SPACES = 8, PAGE = 0x40000000, FRAMES = ARENA_LARGE, PAGES = 16 };

static uint32_t *directory[SPACES], *table[SPACES];

static uint32_t frame(uint32_t space, uint32_t page) {
    return FRAMES + (space * PAGES + page) * 4096;
}

void guest_main(void) {
    paging_init();
    for (uint32_t s = 0; s < SPACES; s++) {
        directory[s] = paging_new_space(PAGE, &table[s]);
        for (uint32_t p = 0; p < PAGES; p++) {
            table[s][p] = frame(s, p) | PTE_ALL;
            *(volatile uint32_t *)frame(s, p) = s << 8 | p;
        }
    }

    uint32_t wrong = 0;
    for (uint32_t round = 0; round < 50; round++) {
        uint32_t s = round * 5 % SPACES;
        write_cr3((uint32_t)directory[s]);
        for (uint32_t p = 0; p < PAGES; p++)
            wrong += *(volatile uint32_t *)(PAGE + p * 4096) != (s << 8 | p);
    }
    printf("reads: %u wrong\n", wrong);

    for (uint32_t s = 0; s < SPACES; s++) {
        write_cr3((uint32_t)directory[s]);
        for (uint32_t p = 0; p < PAGES; p++)
            *(volatile uint32_t *)(PAGE + p * 4096 + 64) = s * 1000 + p;
    }
    wrong = 0;
    for (uint32_t s = 0; s < SPACES; s++)
        for (uint32_t p = 0; p < PAGES; p++)
            wrong += *(volatile uint32_t *)(frame(s, p) + 64) != s * 1000 + p;
    printf("writes: %u wrong\n", wrong);

    /* Tables change while another space is loaded; the next CR3 load sees it. */
    for (uint32_t round = 0; round < 20; round++) {
        uint32_t s = round % SPACES, other = (round + 3) % SPACES;
        write_cr3((uint32_t)directory[s]);
        table[other][2] = frame(s, 7) | PTE_ALL;
        table[other][3] = 0;
        write_cr3((uint32_t)directory[other]);
        uint32_t got = *(volatile uint32_t *)(PAGE + 2 * 4096);
        struct regs in = regs_ring3(user_sum);
        in.esi = PAGE + 3 * 4096;
        run(&in);
        if (got != (s << 8 | 7) || trap.vector != 14 || trap.cr2 != in.esi)
            printf("round %u: %x, vector %u\n", round, got, trap.vector);
        table[other][2] = frame(other, 2) | PTE_ALL;
        table[other][3] = frame(other, 3) | PTE_ALL;
        invlpg(PAGE + 2 * 4096);
        run(&in);
        if (trap.vector != VECTOR_END || trap.regs.eax != (other << 8 | 3) + (other << 8 | 4))
            printf("round %u: vector %u sum %x\n", round, trap.vector, trap.regs.eax);
        *(volatile uint32_t *)frame(other, 5) = other << 8 | 5;
    }
    printf("changed tables done\n");

    /* Two directories share one table: a change through it shows in both. */
    directory[1][PAGE >> 22] = directory[0][PAGE >> 22];
    write_cr3((uint32_t)directory[1]);
    printf("shared: %x", *(volatile uint32_t *)PAGE);
    table[0][0] = frame(6, 6) | PTE_ALL;
    invlpg(PAGE);
    printf(" %x", *(volatile uint32_t *)PAGE);
    write_cr3((uint32_t)directory[0]);
    printf(" %x\n", *(volatile uint32_t *)PAGE);

    /* A directory that maps itself: the tables appear as memory and can be edited there. */
    enum { SELF = 0x3FF };
    directory[2][SELF] = (uint32_t)directory[2] | PTE_P | PTE_W;
    write_cr3((uint32_t)directory[2]);
    volatile uint32_t *window = (volatile uint32_t *)((uint32_t)SELF << 22);
    printf("self map: %s\n", (window[PAGE >> 12] & ~0xFFFu) == frame(2, 0) ? "right" : "wrong");
    window[(PAGE >> 12) + 1] = frame(5, 9) | PTE_ALL;
    invlpg(PAGE + 4096);
    printf("edited: %x\n", *(volatile uint32_t *)(PAGE + 4096));
    window[(PAGE >> 12) + 40] = frame(5, 10) | PTE_ALL;
    printf("added: %x\n", *(volatile uint32_t *)(PAGE + 40 * 4096));
}
