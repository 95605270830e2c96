/* Stack instructions that fault at a page boundary in ring 3: no register may change, and ESP
 * stays (SDM vol 3A, 6.5: faults are restartable). The page below ARENA+4096 is mapped, the page
 * at ARENA is not; the page at ARENA+8192 is not. */
#include "guest.h"

CODE(push, "pushl %eax");
CODE(push_imm, "pushl $5");
CODE(push16, "pushw %ax");
CODE(push_sreg, "pushl %ds");
CODE(pushf_insn, "pushfl");
CODE(push_memory, "pushl (%esi)");
CODE(pusha, "pushal");
CODE(pusha16, "pushaw");
CODE(call_near, "call 1f; 1: nop");
CODE(call_indirect, "call *%ebx");
CODE(call_memory, "call *(%esi)");
CODE(call_far, "lcall $0x1b, $0x100000");
CODE(enter0, "enter $16, $0");
CODE(enter1, "enter $16, $1");
CODE(enter3, "enter $16, $3");
CODE(pop, "popl %eax");
CODE(pop16, "popw %ax");
CODE(pop_memory, "popl (%esi)");
CODE(pop_memory_esp, "popl 4(%esp)");
CODE(popa, "popal");
CODE(popf_insn, "popfl");
CODE(pop_sreg, "popl %es");
CODE(ret_near, "ret");
CODE(ret_imm, "ret $8");
CODE(ret_far, "lret");
CODE(iret_insn, "iretl");
CODE(leave_insn, "leave");
CODE(xchg_memory, "xchgl %eax, (%esp)");

enum { LOW = ARENA + 4096, HIGH = ARENA + 8192 };

static void attempt(const char *name, const uint8_t *code, uint32_t esp, uint32_t esi) {
    struct regs in = regs_ring3(code);
    in.esp = esp;
    in.ebp = esp;
    in.esi = esi;
    in.ebx = (uint32_t)code;
    run(&in);
    report(name, &in);
}

#define PUSHES(code)                                                                               \
    attempt(#code " at the edge", code, LOW, ARENA + 0x10000);                                     \
    attempt(#code " two bytes above", code, LOW + 2, ARENA + 0x10000)
#define POPS(code)                                                                                 \
    attempt(#code " at the edge", code, HIGH, ARENA + 0x10000);                                    \
    attempt(#code " two bytes below", code, HIGH - 2, ARENA + 0x10000)

void guest_main(void) {
    paging_init();
    paging_set(ARENA, 0);
    paging_set(HIGH, 0);
    for (uint32_t i = LOW; i < HIGH; i += 4)
        *(volatile uint32_t *)i = 0x23;
    *(volatile uint32_t *)(ARENA + 0x10000) = 0x100000;

    PUSHES(push);
    PUSHES(push_imm);
    attempt("push16 at the edge", push16, LOW, 0);
    attempt("push16 one byte above", push16, LOW + 1, 0);
    PUSHES(push_sreg);
    PUSHES(pushf_insn);
    PUSHES(push_memory);
    attempt("push_memory, source absent", push_memory, LOW + 64, ARENA);
    attempt("push_memory, both absent", push_memory, LOW, HIGH);
    PUSHES(pusha);
    attempt("pusha, last element", pusha, LOW + 28, 0);
    attempt("pusha16, last element", pusha16, LOW + 14, 0);
    PUSHES(call_near);
    PUSHES(call_indirect);
    PUSHES(call_memory);
    attempt("call_memory, source absent", call_memory, LOW + 64, ARENA);
    PUSHES(call_far);
    attempt("call_far, second push", call_far, LOW + 4, 0);
    PUSHES(enter0);
    PUSHES(enter1);
    attempt("enter1, frame pointer", enter1, LOW + 4, 0);
    attempt("enter0, locals below", enter0, LOW + 8, 0);
    attempt("enter3, copies", enter3, LOW + 8, 0);

    POPS(pop);
    attempt("pop16 at the edge", pop16, HIGH, 0);
    attempt("pop16 one byte below", pop16, HIGH - 1, 0);
    POPS(pop_memory);
    attempt("pop_memory, destination absent", pop_memory, HIGH - 64, ARENA);
    attempt("pop_memory_esp, destination absent", pop_memory_esp, HIGH - 8, 0);
    attempt("pop_memory_esp, destination present", pop_memory_esp, HIGH - 12, 0);
    POPS(popa);
    /* POPA may have loaded some registers when the last fails; here they get their old values. */
    const uint32_t popped[7] = {0x88888888,     0x77777777, HIGH - 28, 0,
                                (uint32_t)popa, 0x33333333, 0x22222222};
    for (int i = 0; i < 7; i++)
        ((volatile uint32_t *)(HIGH - 28))[i] = i == 1 ? ARENA : popped[i];
    attempt("popa, last element", popa, HIGH - 28, ARENA);
    POPS(popf_insn);
    POPS(pop_sreg);
    POPS(ret_near);
    POPS(ret_imm);
    attempt("ret_far, selector", ret_far, HIGH - 4, 0);
    attempt("iret, flags", iret_insn, HIGH - 8, 0);
    POPS(leave_insn);
    attempt("xchg_memory", xchg_memory, HIGH, 0);
}
