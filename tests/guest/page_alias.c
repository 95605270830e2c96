/* One frame at several linear addresses, with different rights: every write is seen through every
 * alias, and rights belong to the mapping, not the frame (SDM vol 3A, 4.2). */
#include "guest.h"

CODE(user_write, "movl %eax, (%esi)");
CODE(user_read, "movl (%esi), %eax");
CODE(stack_alias, "movl %esi, %esp; pushl $0x1234; movl -4(%edi), %eax");

enum { FRAME = ARENA, ALIASES = 8, WINDOW = 0x40000000 };

static volatile uint32_t *alias(uint32_t i, uint32_t offset) {
    return (volatile uint32_t *)(WINDOW + i * 4096 + offset);
}

void guest_main(void) {
    paging_init();
    uint32_t *table = (uint32_t *)paging_new_page();
    *paging_pde(WINDOW) = (uint32_t)table | PTE_ALL;
    for (uint32_t i = 0; i < ALIASES; i++)
        table[i] = FRAME | PTE_ALL;

    uint32_t wrong = 0;
    for (uint32_t n = 0; n < 1000; n++) {
        *alias(n % ALIASES, n % 1024 * 4) = n * 0x9E3779B9;
        for (uint32_t i = 0; i < ALIASES; i++)
            wrong += *alias(i, n % 1024 * 4) != n * 0x9E3779B9;
        wrong += *(volatile uint32_t *)(FRAME + n % 1024 * 4) != n * 0x9E3779B9;
    }
    printf("aliases: %u wrong\n", wrong);

    /* Aliases with their own rights and dirty bits. */
    table[1] = FRAME | PTE_P | PTE_U;
    table[2] = FRAME | PTE_P | PTE_W;
    table[3] = FRAME | PTE_ALL;
    table[4] = 0;
    paging_flush();
    for (uint32_t i = 1; i < 5; i++) {
        struct regs in = regs_ring3(user_write);
        in.esi = (uint32_t)alias(i, 0);
        in.eax = 0x1000 + i;
        run(&in);
        printf("alias %u ", i);
        report("write", &in);
        in.eip = (uint32_t)user_read;
        run(&in);
        in.eax = trap.regs.eax;
        printf("alias %u value %x ", i, trap.regs.eax);
        report("read", &in);
        printf("  bits %x %x %x\n", table[1] & 0xFF, table[2] & 0xFF, table[3] & 0xFF);
    }
    struct regs in = regs_ring3(stack_alias);
    in.esi = (uint32_t)alias(3, 256);
    in.edi = FRAME + 256;
    run(&in);
    in.esp = in.esi;
    report("push through an alias", &in);

    /* Adjacent linear pages on one frame: an access across them wraps around in the frame. */
    table[5] = table[6] = FRAME | PTE_ALL;
    paging_flush();
    *alias(5, 0) = 0x44332211;
    *alias(5, 4092) = 0x88776655;
    printf("across: %08x\n", *(volatile uint32_t *)(WINDOW + 5 * 4096 + 4094));
    *(volatile uint32_t *)(WINDOW + 5 * 4096 + 4094) = 0xDDCCBBAA;
    printf("after: %08x %08x\n", *alias(6, 0), *alias(6, 4092));

    /* Frames exchanged between two pages many times. */
    wrong = 0;
    *(volatile uint32_t *)(FRAME + 4096) = 1;
    *(volatile uint32_t *)(FRAME + 8192) = 2;
    for (uint32_t n = 0; n < 200; n++) {
        table[0] = (FRAME + 4096 + (n & 1) * 4096) | PTE_ALL;
        table[1] = (FRAME + 8192 - (n & 1) * 4096) | PTE_ALL;
        invlpg(WINDOW);
        invlpg(WINDOW + 4096);
        wrong += *alias(0, 0) != 1 + (n & 1);
        wrong += *alias(1, 0) != 2 - (n & 1);
    }
    printf("exchanges: %u wrong\n", wrong);
}
