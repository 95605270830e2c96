/* Global pages and the invalidations that are guaranteed: INVLPG drops a global page, a change of
 * CR4.PGE drops all of them, a CR3 load drops the others. Whether a stale translation survives
 * where the manual allows it is not tested (SDM vol 3A, 4.10.4.1). */
#include "guest.h"

enum { PAGE = ARENA, A = ARENA + 0x10000, B = ARENA + 0x11000 };

static volatile uint32_t *const page = (volatile uint32_t *)PAGE;

static void point_to(uint32_t frame, uint32_t bits) {
    *paging_pte(PAGE) = frame | PTE_ALL | bits;
}

void guest_main(void) {
    *(volatile uint32_t *)A = 0xA;
    *(volatile uint32_t *)B = 0xB;
    paging_init();

    point_to(A, 0);
    invlpg(PAGE);
    printf("A %x", *page);
    point_to(B, 0);
    invlpg(PAGE);
    printf(", INVLPG %x", *page);
    point_to(A, 0);
    paging_flush();
    printf(", CR3 %x\n", *page);

    write_cr4(CR4_PGE);
    point_to(B, PTE_G);
    invlpg(PAGE);
    printf("global B %x", *page);
    point_to(A, PTE_G);
    invlpg(PAGE + 0x7FF);
    printf(", INVLPG %x", *page);
    point_to(B, PTE_G);
    write_cr4(0);
    printf(", PGE off %x", *page);
    write_cr4(CR4_PGE);
    printf(", on %x", *page);
    point_to(A, PTE_G);
    write_cr4(0);
    write_cr4(CR4_PGE);
    printf(", toggled %x\n", *page);

    /* Without PGE the bit is ignored: a CR3 load drops the page. */
    write_cr4(0);
    point_to(A, PTE_G);
    paging_flush();
    printf("PGE clear, A %x", *page);
    point_to(B, PTE_G);
    paging_flush();
    printf(", CR3 %x\n", *page);

    /* Turning paging off and on drops everything. */
    point_to(A, 0);
    invlpg(PAGE);
    printf("A %x", *page);
    write_cr0(read_cr0() & ~CR0_PG);
    *page = 0xF;
    point_to(B, 0);
    write_cr0(read_cr0() | CR0_PG);
    printf(", PG toggled %x\n", *page);

    /* A page that is global in one address space is the same in the next one that maps it so. */
    write_cr4(CR4_PGE);
    uint32_t *directory = (uint32_t *)paging_new_page();
    for (int i = 0; i < 1024; i++)
        directory[i] = paging_pde(0)[i];
    point_to(B, PTE_G);
    invlpg(PAGE);
    for (int i = 0; i < 4; i++) {
        write_cr3(i & 1 ? PAGE_TABLES : (uint32_t)directory);
        *page = 0xB0 + (uint32_t)i;
        printf("space %d: %x %x\n", i & 1, *page, *(volatile uint32_t *)B);
    }

    /* INVLPG of addresses that are not mapped, or in ring 0 with any segment, does nothing. */
    invlpg(0xFFFFF000);
    invlpg(0);
    invlpg(0xC0000000);
    printf("INVLPG unmapped ok\n");
}
