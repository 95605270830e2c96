/* Instructions that lie across two pages: run, patched in either half, with the second page absent,
 * remapped, or moved to another frame; writes of a block that spans them (SDM vol 3A, 8.1.3). */
#include "guest.h"

enum { FIRST = 0x40000000, SECOND = FIRST + 4096, FRAME = ARENA };

static uint32_t *table;

static void bytes(uint32_t at, const uint8_t *from, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        ((volatile uint8_t *)at)[i] = from[i];
}

static void attempt(const char *name, uint32_t eip, int ring) {
    struct regs in = ring ? regs_ring3((void *)eip) : regs_ring0((void *)eip);
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
}

void guest_main(void) {
    static const uint8_t code[] = {0x90, 0xB8, 0x78, 0x56, 0x34, 0x12, 0x40, 0xCD, 0xF0};
    paging_init();
    table = (uint32_t *)paging_new_page();
    *paging_pde(FIRST) = (uint32_t)table | PTE_ALL;
    table[0] = FRAME | PTE_ALL;
    table[1] = (FRAME + 3 * 4096) | PTE_ALL; /* not adjacent in memory */
    for (int ring = 0; ring <= 3; ring += 3) {
        for (uint32_t split = 1; split < sizeof code - 1; split++) {
            uint32_t at = SECOND - split;
            bytes(at, code, sizeof code);
            printf("split %u ", split);
            attempt("runs", at, ring);
            if (split >= 3 && split <= 5) {
                *(volatile uint8_t *)(at + 2) = 0x79; /* in the first page */
                attempt("first half patched", at, ring);
                *(volatile uint8_t *)(at + 5) = 0x99; /* in the second */
                attempt("second half patched", at, ring);
                *(volatile uint32_t *)(at + 2) = 0xCAFEF00D;
                attempt("patched by a store across", at, ring);
            }
        }
    }

    uint32_t at = SECOND - 3;
    bytes(at, code, sizeof code);
    bytes(FRAME + 5 * 4096, (const uint8_t[]){0xEE, 0xDD, 0xCC, 0x41, 0xCD, 0xF0}, 6);
    attempt("before", at, 3);
    table[1] = (FRAME + 5 * 4096) | PTE_ALL;
    invlpg(SECOND);
    attempt("second page remapped", at, 3);
    table[1] = 0;
    invlpg(SECOND);
    attempt("second page absent", at, 3);
    attempt("second page absent", at, 0);
    table[1] = (FRAME + 5 * 4096) | PTE_P | PTE_W;
    invlpg(SECOND);
    attempt("second page supervisor", at, 3);
    attempt("second page supervisor", at, 0);
    /* An instruction that ends right at the page needs nothing of the next page. */
    table[1] = 0;
    invlpg(SECOND);
    bytes(SECOND - 2, (const uint8_t[]){0xCD, 0xF0}, 2);
    attempt("last instruction of the page", SECOND - 2, 3);
    bytes(SECOND - 2, (const uint8_t[]){0x0F, 0x0B}, 2);
    attempt("UD2 at the end of the page", SECOND - 2, 3);
    bytes(SECOND - 1, (const uint8_t[]){0x40}, 1);
    attempt("one byte, then the absent page", SECOND - 1, 3);
    bytes(SECOND - 1, (const uint8_t[]){0x0F}, 1);
    attempt("first byte of an opcode, then the absent page", SECOND - 1, 3);
    bytes(SECOND - 2, (const uint8_t[]){0xEB, 0x10}, 2);
    attempt("jump into the absent page", SECOND - 2, 3);
    bytes(SECOND - 2, (const uint8_t[]){0x74, 0x10}, 2);
    attempt("branch not taken into the absent page", SECOND - 2, 3);
    bytes(SECOND - 5, (const uint8_t[]){0xE8, 0, 0, 0, 0}, 5);
    attempt("call to the absent page", SECOND - 5, 3);
}
