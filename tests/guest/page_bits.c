/* Accessed and dirty bits of 4 KiB pages: a read sets A in PDE and PTE, a write A and D in the PTE,
 * exactly when the access happens, never D for a read, nothing for a fault (SDM vol 3A, 4.8). */
#include "guest.h"

CODE(read4, "movl (%esi), %eax");
CODE(write4, "movl %eax, (%esi)");
CODE(add4, "addl %eax, (%esi)");
CODE(compare_fails, "movl $1, %eax; lock cmpxchgl %ecx, (%esi)");
CODE(cross_read, "movl 4094(%esi), %eax");
CODE(cross_write, "movl %eax, 4094(%esi)");
CODE(push, "leal 4096(%esi), %esp; pushl %eax");
CODE(pop, "movl %esi, %esp; popl %eax");
CODE(string, "movl %esi, %edi; leal 4096(%esi), %esi; movsl");
CODE(bit_test, "btl $0, (%esi)");
CODE(rep_zero, "xorl %ecx, %ecx; movl %esi, %edi; rep stosl");
CODE(jump, "jmp *%esi");
CODE(read_then_write, "movl (%esi), %eax; movl %eax, (%esi)");
CODE(far_load, "lesl (%esi), %eax");
CODE(descriptor_load, "movw %bx, %fs");

enum { PAGE = ARENA + 0x400000 }; /* a directory entry of its own */

static void clear(void) {
    *paging_pde(PAGE) &= ~(uint32_t)(PTE_A | PTE_D);
    *paging_pte(PAGE) &= ~(uint32_t)(PTE_A | PTE_D);
    *paging_pte(PAGE + 4096) &= ~(uint32_t)(PTE_A | PTE_D);
    paging_flush();
}

/* After a fault the PDE's A may be set or not: the walk used it, the access never happened. */
static void show(void) {
    uint32_t pde = *paging_pde(PAGE), pte = *paging_pte(PAGE), next = *paging_pte(PAGE + 4096);
    if (trap.vector == 14)
        pde = 0;
    printf("  pde %s%s pte %s%s next %s%s\n", pde & PTE_A ? "A" : "-", pde & PTE_D ? "D" : "-",
           pte & PTE_A ? "A" : "-", pte & PTE_D ? "D" : "-", next & PTE_A ? "A" : "-",
           next & PTE_D ? "D" : "-");
}

static void attempt(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    uint32_t pte = *paging_pte(PAGE);
    paging_set(PAGE, PAGE | PTE_ALL);
    *(volatile uint32_t *)PAGE = 0x00F0F0CD; /* INT 0F0h, for the jump */
    *(volatile uint16_t *)(PAGE + 4) = SEL_DATA3;
    paging_set(PAGE, pte);
    clear();
    in.esi = PAGE;
    in.ebx = SEL_FREE;
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
    show();
}

#define BOTH(code)                                                                                 \
    attempt(#code, code, 0);                                                                       \
    attempt(#code, code, 3)

void guest_main(void) {
    paging_init();
    printf("untouched:\n");
    clear();
    show();
    BOTH(read4);
    BOTH(write4);
    BOTH(add4);
    BOTH(compare_fails);
    BOTH(cross_read);
    BOTH(cross_write);
    attempt("push", push, 3);
    attempt("pop", pop, 3);
    BOTH(string);
    BOTH(bit_test);
    BOTH(rep_zero);
    BOTH(jump);
    BOTH(read_then_write);
    BOTH(far_load);

    /* Faults set nothing in the entry that stops them. */
    paging_set(PAGE, PAGE);
    attempt("absent read4", read4, 3);
    paging_set(PAGE, PAGE | PTE_P);
    attempt("supervisor read4", read4, 3);
    attempt("supervisor read4", read4, 0);
    paging_set(PAGE, PAGE | PTE_P | PTE_U);
    attempt("read-only write4", write4, 3);
    attempt("read-only read4", read4, 3);
    attempt("read-only write4 (WP clear)", write4, 0);
    write_cr0(read_cr0() | CR0_WP);
    attempt("read-only write4 (WP set)", write4, 0);
    write_cr0(read_cr0() & ~CR0_WP);
    paging_set(PAGE, PAGE | PTE_ALL);

    trap.vector = 0;
    /* A write after a read through the same translation must still set D. */
    clear();
    (void)*(volatile uint32_t *)PAGE;
    printf("read by C\n");
    show();
    *(volatile uint32_t *)PAGE = 1;
    printf("written by C\n");
    show();
    /* D cleared by software and the translation invalidated: the next write sets it again. */
    for (int i = 0; i < 3; i++) {
        paging_set(PAGE, *paging_pte(PAGE) & ~(uint32_t)PTE_D);
        printf("round %d: %s", i, *paging_pte(PAGE) & PTE_D ? "D" : "-");
        *(volatile uint32_t *)PAGE = 1;
        printf("%s\n", *paging_pte(PAGE) & PTE_D ? "D" : "-");
    }

    /* A page that holds tables: writing an entry through its own mapping is an ordinary write. */
    uint32_t table = (uint32_t)paging_pte(PAGE) & ~0xFFFu;
    paging_set(table, *paging_pte(table) & ~(uint32_t)(PTE_A | PTE_D));
    *(volatile uint32_t *)(table + 4092) = 0;
    printf("table page: %x\n", *paging_pte(table) & (PTE_A | PTE_D));

    /* The CPU's own accesses to a descriptor table set bits too. */
    gdt_set(SEL_FREE,
            descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    for (unsigned i = 0; i < GDT_SLOTS; i++)
        ((volatile uint64_t *)PAGE)[i] = gdt[i];
    lgdt((void *)PAGE, sizeof gdt - 1);
    clear();
    struct regs in = regs_ring0(descriptor_load);
    in.ebx = SEL_DATA0;
    ((volatile uint8_t *)PAGE)[SEL_CODE0 + 5] |= ACCESS_ACCESSED;
    ((volatile uint8_t *)PAGE)[SEL_DATA0 + 5] |= ACCESS_ACCESSED;
    clear();
    run(&in);
    printf("load of an accessed descriptor\n");
    show();
    clear();
    in.ebx = SEL_FREE;
    run(&in);
    printf("load of a descriptor not yet accessed: access %02x\n",
           ((volatile uint8_t *)PAGE)[SEL_FREE + 5]);
    show();
    lgdt(gdt, sizeof gdt - 1);
}
