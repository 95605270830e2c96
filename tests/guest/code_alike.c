/* Indirect jumps, calls and returns among code whose addresses are alike in the lower 16 bits, in
 * turns and many times, at CPL 0 and 3: each must come to its own (SDM vol 2A, CALL, JMP). Also
 * while the code is written over, and to where there is none. */
#include "guest.h"

enum {
    OFTEN = 300000,
    FIRST = 0x40001230, /* linear; the others 64 KiB apart */
    APART = 0x10000,
    FRAMES = ARENA_LARGE,
    ALL = 40,
};

/* Calls each of EBX functions in turn, ECX rounds; EDI: the first of their addresses. */
CODE(call_in_turn, "2: movl %edi, %esi; movl %ebx, %edx; 1: call *(%esi); addl $4, %esi; "
                   "decl %edx; jnz 1b; decl %ecx; jnz 2b");
/* The same by RET without a call, and back by JMP. */
CODE(return_in_turn, "movl $4f, %ebp; 2: movl %edi, %esi; movl %ebx, %edx; 1: pushl (%esi); ret; "
                     "4: addl $4, %esi; decl %edx; jnz 1b; decl %ecx; jnz 2b");
/* Of a function: lea eax, [eax + number]; ret, or jmp ebp. */
enum { LEA_EAX = 0x8d, EAX_DISP32 = 0x80, RET = 0xc3, JMP_EBP_0 = 0xff, JMP_EBP_1 = 0xe5 };

static uint32_t *table;
static uint32_t address[ALL];

/* Makes function n. */
static void function(unsigned n, uint32_t number, bool jumps) {
    uint8_t *at = (uint8_t *)(FRAMES + n * 4096 + (FIRST & 0xfff));

    at[0] = LEA_EAX;
    at[1] = EAX_DISP32;
    *(uint32_t *)(at + 2) = number;
    at[6] = jumps ? JMP_EBP_0 : RET;
    at[7] = jumps ? JMP_EBP_1 : RET;
}

static void map(unsigned n, bool present) {
    uint32_t gla = FIRST + n * APART;

    address[n] = gla;
    table[gla >> 12 & 0x3ff] = present ? (FRAMES + n * 4096) | PTE_ALL : 0;
    invlpg(gla);
}

static void call(const char *what, struct regs in, unsigned functions, uint32_t rounds) {
    in.eax = 0;
    in.ebx = functions;
    in.ecx = rounds;
    in.edi = (uint32_t)address;
    run(&in);
    printf("%s, %u: %x", what, functions, trap.regs.eax);
    if (trap.vector != VECTOR_END)
        printf(" %s(%x) at %x, CR2 %x, %u left", vector_name(trap.vector), trap.error,
               trap.regs.eip, trap.cr2, trap.regs.ecx);
    printf("\n");
}

static void attempt(const char *what, struct regs in, bool jumps) {
    for (unsigned n = 0; n < ALL; n++) {
        function(n, 1u << n % 20, jumps);
        map(n, true);
    }
    call(what, in, 1, OFTEN);
    call(what, in, 2, OFTEN);
    call(what, in, 3, OFTEN);
    call(what, in, ALL, OFTEN / 20);
    function(1, 0x100, jumps);
    call("written over", in, 3, 5);
    map(2, false);
    call("one is gone", in, 3, 5);
    map(2, true);
    call("and back", in, 3, OFTEN);
}

void guest_main(void) {
    paging_init();
    write_cr3((uint32_t)paging_new_space(FIRST, &table));
    attempt("calls, CPL 3", regs_ring3(call_in_turn), false);
    attempt("returns, CPL 3", regs_ring3(return_in_turn), true);
    attempt("calls, CPL 0", regs_ring0(call_in_turn), false);
    attempt("returns, CPL 0", regs_ring0(return_in_turn), true);
}
