/* Accesses that cross a page into an absent or read-only one, and read-modify-write faults: nothing
 * is written, no register changes, CR2 is the first byte that could not be accessed, the error
 * code says write for a read-modify-write (SDM vol 3A, 4.7 and 6.15 vector 14). */
#include "guest.h"

CODE(read4, "movl (%esi), %eax");
CODE(read2, "movw (%esi), %ax");
CODE(write4, "movl %eax, (%esi)");
CODE(write2, "movw %ax, (%esi)");
CODE(write_imm, "movl $0x99, (%esi)");
CODE(add_memory, "addl %eax, (%esi)");
CODE(add_register, "addl (%esi), %eax");
CODE(inc_memory, "incl (%esi)");
CODE(not_memory, "notl (%esi)");
CODE(shl_memory, "shll $3, (%esi)");
CODE(shl_zero, "movb $0, %cl; shll %cl, (%esi)");
CODE(xchg_memory, "xchgl %eax, (%esi)");
CODE(lock_xadd, "lock xaddl %eax, (%esi)");
CODE(cmpxchg_equal, "movl $0x55555555, %eax; lock cmpxchgl %ecx, (%esi)");
CODE(cmpxchg_different, "lock cmpxchgl %ecx, (%esi)");
CODE(cmpxchg8, "lock cmpxchg8b (%esi)");
CODE(bts_memory, "btsl $3, (%esi)");
CODE(bt_memory, "btl $3, (%esi)");
CODE(setcc, "sete (%esi)");
CODE(cmp_memory, "cmpl %eax, (%esi)");
CODE(test_memory, "testl %eax, (%esi)");
CODE(fst, "fninit; fld1; fstl (%esi)");
CODE(fld, "fninit; fldl (%esi)");
CODE(cmov_false, "cmpl %eax, %eax; cmovne (%esi), %ecx");
CODE(imul_memory, "imull (%esi), %ecx");
CODE(div_memory, "divl (%esi)");
CODE(bound_memory, "bound %eax, (%esi)");
CODE(far_load, "lesl (%esi), %eax");

enum { ABSENT = ARENA + 4096, READ_ONLY = ARENA + 4 * 4096 };

static void attempt(const char *name, const uint8_t *code, const char *where, uint32_t address) {
    struct regs in = regs_ring3(code);
    volatile uint32_t *before =
        (volatile uint32_t *)((address & ~0xFFFu) + (address & 0xFFF ? 0xFF8 : 0));
    if (address != ABSENT)
        before[0] = before[1] = 0x55555555;
    in.esi = address;
    run(&in);
    printf("%s ", where);
    report(name, &in);
    if (address != ABSENT && (before[0] != 0x55555555 || before[1] != 0x55555555))
        printf("  memory %08x %08x\n", before[0], before[1]);
}

#define ATTEMPT(code)                                                                              \
    attempt(#code, code, "absent", ABSENT);                                                        \
    attempt(#code, code, "into absent", ABSENT - 1);                                               \
    attempt(#code, code, "read-only", READ_ONLY);                                                  \
    attempt(#code, code, "into read-only", READ_ONLY - 1)

void guest_main(void) {
    paging_init();
    paging_set(ABSENT, 0);
    paging_set(READ_ONLY, READ_ONLY | PTE_P | PTE_U);
    report_flags = 0;
    ATTEMPT(read4);
    ATTEMPT(read2);
    ATTEMPT(write4);
    ATTEMPT(write2);
    ATTEMPT(write_imm);
    ATTEMPT(add_memory);
    ATTEMPT(add_register);
    ATTEMPT(inc_memory);
    ATTEMPT(not_memory);
    ATTEMPT(shl_memory);
    ATTEMPT(shl_zero);
    ATTEMPT(xchg_memory);
    ATTEMPT(lock_xadd);
    ATTEMPT(cmpxchg_equal);
    ATTEMPT(cmpxchg_different);
    ATTEMPT(cmpxchg8);
    ATTEMPT(bts_memory);
    ATTEMPT(bt_memory);
    ATTEMPT(setcc);
    ATTEMPT(cmp_memory);
    ATTEMPT(test_memory);
    ATTEMPT(fst);
    ATTEMPT(fld);
    ATTEMPT(cmov_false);
    ATTEMPT(imul_memory);
    ATTEMPT(div_memory);
    ATTEMPT(bound_memory);
    ATTEMPT(far_load);
}
