/* User code that calls from page to page, often enough for a monitor to take the way between the
 * pages for granted, and then one of the pages is another frame, or gone: by INVLPG, by a CR3 load,
 * in turns (SDM vol 3A, 4.10.4.1). */
#include "guest.h"

enum {
    OFTEN = 12000000,
    CALLER = 0x40000000, /* linear */
    CALLEE = CALLER + 0x1000,
    FRAMES = ARENA_LARGE,
};

/* Copied to their pages: only the way to the callee's page is in the code. */
CODE(call_and_count, "1: .byte 0xe8; .long 0xffb; decl %ecx; jnz 1b");
CODE(call_and_double, "1: .byte 0xe8; .long 0xffb; addl %eax, %eax; decl %ecx; jnz 1b");
CODE(add_one, "incl %eax; ret");
CODE(add_many, "addl $0x10000, %eax; ret");

static uint32_t *table;

static uint32_t frame(unsigned n, const uint8_t *code) {
    uint8_t *at = (uint8_t *)(FRAMES + n * 4096);

    for (unsigned k = 0; k < 64; k++)
        at[k] = code[k];
    return (uint32_t)at | PTE_ALL;
}

static void map(uint32_t gla, uint32_t pte) {
    table[gla >> 12 & 0x3ff] = pte;
    invlpg(gla);
}

static void call(const char *what, uint32_t times) {
    struct regs in = regs_ring3((const void *)CALLER);

    in.eax = 0;
    in.ecx = times;
    run(&in);
    printf("%s: %x", what, trap.regs.eax);
    if (trap.vector != VECTOR_END)
        printf(" %s(%x) at %x, CR2 %x", vector_name(trap.vector), trap.error, trap.regs.eip,
               trap.cr2);
    printf("\n");
}

void guest_main(void) {
    uint32_t *other_table;

    paging_init();
    uint32_t one = frame(0, add_one), many = frame(1, add_many);
    uint32_t count = frame(2, call_and_count), twice = frame(3, call_and_double);
    uint32_t *space = paging_new_space(CALLER, &table),
             *other = paging_new_space(CALLER, &other_table);

    write_cr3((uint32_t)space);
    map(CALLER, count), map(CALLEE, one);
    call("often", OFTEN);
    map(CALLEE, many);
    call("callee moved", 3);
    call("often", OFTEN / 2);
    map(CALLEE, 0);
    call("callee gone", 3);
    map(CALLEE, one & ~(uint32_t)PTE_U);
    call("callee the kernel's", 3);
    map(CALLEE, one);
    call("often", OFTEN / 2);
    map(CALLER, twice);
    call("caller moved", 3);
    map(CALLER, count);
    call("often", OFTEN / 2);
    table[CALLEE >> 12 & 0x3ff] = many;
    write_cr3((uint32_t)space);
    call("callee moved, CR3 loaded", 3);

    other_table[CALLER >> 12 & 0x3ff] = count;
    other_table[CALLEE >> 12 & 0x3ff] = one;
    for (unsigned round = 0; round < 6; round++) {
        write_cr3((uint32_t)other);
        call("one space", OFTEN / 4);
        call("again", 5);
        write_cr3((uint32_t)space);
        call("another", 5);
    }
    table[CALLEE >> 12 & 0x3ff] = one & ~(uint32_t)PTE_A;
    write_cr3((uint32_t)space);
    call("not accessed", 2);
    printf("A: %x\n", table[CALLEE >> 12 & 0x3ff] & PTE_A);
}
