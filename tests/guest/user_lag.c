/* User code that runs often, with a stack segment that has a limit: a push that is beyond it leaves
 * ESP as it was before that push, not before the ones in front of it (SDM vol 3A, 5.3; vol 2B,
 * PUSH). */
#include "guest.h"

enum { OFTEN = 150000000, STACK = (SEL_FREE + 16) | 3 };

CODE(pushes, "1: decl %ecx; jnz 1b; pushl %eax; pushl %ebx; pushl %esi; nop");
CODE(call_last, "1: decl %ecx; jnz 1b; pushl %eax; pushl %ebx; call 2f; nop; 2: nop");
CODE(pops, "1: decl %ecx; jnz 1b; popl %eax; popl %ebx; popl %esi; nop");

static void attempt(const char *name, const uint8_t *code, uint32_t esp) {
    struct regs in = regs_ring3(code);

    in.ss = STACK;
    in.esp = esp;
    in.eax = in.ebx = in.esi = 0;
    in.ecx = OFTEN;
    run(&in);
    printf("%s: %s(%x) eip+%x esp %x\n", name, vector_name(trap.vector), trap.error,
           trap.regs.eip - (uint32_t)code, trap.regs.esp);
}

void guest_main(void) {
    const uint8_t access = ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW | ACCESS_ACCESSED;

    paging_init();
    gdt_set(STACK, descriptor(ARENA, 0xFFF, access, FLAG_SEG_B));
    attempt("pushes", pushes, 8);
    attempt("call", call_last, 8);
    attempt("pops", pops, 0xFF8);
}
