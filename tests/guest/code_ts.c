/* Code that runs in turns with CR0.TS set and clear, as kernels have it that save the FPU lazily:
 * called through pointers, changed and remapped meanwhile, and with an x87 instruction that is
 * #NM or not (SDM vol. 3A 2.5, CR0.TS; 11.6, self-modifying code). */
#include "guest.h"

enum { CODE_AT = 0x40000000, FRAME = ARENA, OTHER = ARENA + 4096, FAR = 0x10000 };

/* MOV EAX, imm; RET */
static void put(uint32_t at, uint32_t imm) {
    volatile uint8_t *p = (volatile uint8_t *)at;
    p[0] = 0xB8;
    for (int i = 0; i < 4; i++)
        p[1 + i] = (uint8_t)(imm >> 8 * i);
    p[5] = 0xC3;
}

static uint32_t call(uint32_t at) {
    uint32_t (*volatile code)(void) = (uint32_t(*)(void))at;
    return code();
}

static void set_ts(bool on) {
    write_cr0(on ? read_cr0() | CR0_TS : read_cr0() & ~(uint32_t)CR0_TS);
}

void guest_main(void) {
    uint32_t wrong = 0, *table;

    paging_init();
    table = (uint32_t *)paging_new_page();
    *paging_pde(CODE_AT) = (uint32_t)table | PTE_ALL;
    table[0] = FRAME | PTE_ALL;
    put(FRAME, 0x111);
    put(OTHER, 0x222);
    put(FRAME + FAR, 0x333);
    for (uint32_t i = 0; i < 100; i++) {
        set_ts(i & 1);
        wrong += call(FRAME) != 0x111;
        wrong += call(FRAME + FAR) != 0x333; /* the same low half of EIP */
        wrong += call(OTHER) != 0x222;
    }
    printf("in turns: %u wrong\n", wrong);
    for (uint32_t i = 0; i < 100; i++) {
        set_ts(i & 1);
        if (i % 3 == 0)
            put(FRAME, 0x1000 + i); /* what is known for the other value of TS is wrong now, too */
        wrong += call(FRAME) != 0x1000 + i / 3 * 3;
    }
    printf("changed: %u wrong\n", wrong);
    put(FRAME, 0x111);
    for (uint32_t i = 0; i < 100; i++) {
        set_ts(i & 1);
        if (i % 3 == 0) {
            table[0] = (i % 2 ? OTHER : FRAME) | PTE_ALL;
            invlpg(CODE_AT);
        }
        wrong += call(CODE_AT) != (i / 3 % 2 ? 0x222u : 0x111u);
    }
    printf("remapped: %u wrong\n", wrong);

    /* FNOP; INT F0 */
    static const uint8_t fnop[] = {0xD9, 0xD0, 0xCD, VECTOR_END};
    for (uint32_t i = 0; i < 100; i++) {
        struct regs in = regs_ring0(fnop);
        set_ts(i & 1);
        run(&in);
        wrong += trap.vector != (i & 1 ? 7u : VECTOR_END);
        wrong += (read_cr0() & CR0_TS) != (i & 1 ? CR0_TS : 0u);
    }
    printf("x87: %u wrong\n", wrong);
    set_ts(false);
}
