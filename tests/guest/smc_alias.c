/* Code changed through another linear address of its frame, by an address space switch, by
 * remapping its page, and by writes from ring 0 to ring-3 code (SDM vol 3A, 8.1.3: cross-modifying
 * through aliases needs a serialising instruction, which IRET of run() is). */
#include "guest.h"

enum { CODE_AT = 0x40000000, ALIAS = 0x40001000, FRAME = ARENA, OTHER = ARENA + 4096 };

static uint32_t *table;

/* MOV EAX, imm; INT F0 */
static void put(uint32_t at, uint32_t imm) {
    volatile uint8_t *p = (volatile uint8_t *)at;
    p[0] = 0xB8;
    for (int i = 0; i < 4; i++)
        p[1 + i] = (uint8_t)(imm >> 8 * i);
    p[5] = 0xCD;
    p[6] = VECTOR_END;
}

static uint32_t call(uint32_t at, int ring) {
    struct regs in = ring ? regs_ring3((void *)at) : regs_ring0((void *)at);
    run(&in);
    return trap.vector == VECTOR_END ? trap.regs.eax : 0xBAD00000 | trap.vector;
}

void guest_main(void) {
    paging_init();
    table = (uint32_t *)paging_new_page();
    *paging_pde(CODE_AT) = (uint32_t)table | PTE_ALL;
    table[0] = FRAME | PTE_ALL;
    table[1] = FRAME | PTE_ALL;
    table[2] = FRAME | PTE_P | PTE_U;

    uint32_t wrong = 0;
    for (uint32_t i = 0; i < 100; i++) {
        put(ALIAS, i * 3);
        wrong += call(CODE_AT, i & 1 ? 3 : 0) != i * 3;
    }
    printf("through an alias: %u wrong\n", wrong);
    for (uint32_t i = 0; i < 100; i++) {
        put(FRAME, i * 5);
        wrong += call(CODE_AT + 2 * 4096, 3) != i * 5;
        wrong += call(CODE_AT, 3) != i * 5;
        wrong += call(ALIAS, 0) != i * 5;
    }
    printf("three addresses, one frame: %u wrong\n", wrong);

    /* The page is remapped between two frames with different code. */
    put(FRAME, 0x111);
    put(OTHER, 0x222);
    for (uint32_t i = 0; i < 100; i++) {
        table[0] = (i & 1 ? OTHER : FRAME) | PTE_ALL;
        invlpg(CODE_AT);
        wrong += call(CODE_AT, i & 2 ? 3 : 0) != (i & 1 ? 0x222u : 0x111u);
    }
    printf("remapped: %u wrong\n", wrong);

    /* Address spaces with different code at one address. */
    uint32_t space[4];
    for (uint32_t s = 0; s < 4; s++) {
        uint32_t *directory = (uint32_t *)paging_new_page(), *t = (uint32_t *)paging_new_page();
        for (int i = 0; i < 1024; i++)
            directory[i] = paging_pde(0)[i];
        directory[CODE_AT >> 22] = (uint32_t)t | PTE_ALL;
        t[0] = (FRAME + 0x10000 + s * 4096) | PTE_ALL;
        put(FRAME + 0x10000 + s * 4096, 0x1000 + s);
        space[s] = (uint32_t)directory;
    }
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t s = i * 7 % 4;
        write_cr3(space[s]);
        wrong += call(CODE_AT, 3) != 0x1000 + s + (i >= 100 ? 0x500 : 0);
        if (i == 99)
            for (uint32_t k = 0; k < 4; k++)
                put(FRAME + 0x10000 + k * 4096, 0x1500 + k);
    }
    printf("address spaces: %u wrong\n", wrong);
    write_cr3(PAGE_TABLES);

    /* The frame is used as data, as code, and as data again. */
    for (uint32_t i = 0; i < 50; i++) {
        volatile uint32_t *data = (volatile uint32_t *)FRAME;
        for (uint32_t k = 0; k < 1024; k++)
            data[k] = k ^ i;
        for (uint32_t k = 0; k < 1024; k++)
            wrong += data[k] != (k ^ i);
        put(FRAME + i * 16, i);
        wrong += call(FRAME + i * 16, 3) != i;
    }
    printf("data, code, data: %u wrong\n", wrong);

    /* The code page becomes absent, then present with new content. */
    put(FRAME, 1);
    wrong += call(FRAME, 3) != 1;
    paging_set(FRAME, 0);
    printf("absent: %x\n", call(FRAME, 3));
    paging_set(FRAME, OTHER | PTE_ALL);
    put(OTHER, 2);
    printf("mapped to the other frame: %x\n", call(FRAME, 3));
    paging_set(FRAME, FRAME | PTE_P | PTE_W);
    printf("supervisor only: %x, ring 0: %x\n", call(FRAME, 3), call(FRAME, 0));
    printf("%u wrong in all\n", wrong);
}
