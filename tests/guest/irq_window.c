/* Loops that let interrupts in for one instruction only, at their end or within: one that waits
 * gets in, soon (SDM vol. 2B, STI; vol. 3A, 6.8.1). */
#include "guest.h"

enum { COUNT = 59659 }; /* 50 ms */

CODE(sti_je, "1: cli; cmpl $0, (%esi); sti; je 1b");
CODE(sti_nop_je, "1: cli; cmpl $0, (%esi); sti; nop; je 1b");
CODE(sti_cmp_je, "1: cli; nop; sti; cmpl $0, (%esi); je 1b");
CODE(sti_jmp, "1: cli; nop; sti; jmp 1b");
CODE(sti_loop, "1: cli; nop; sti; loop 1b");
CODE(sti_ret, "jmp 1f; 2: sti; ret; 1: cli; cmpl $0, (%esi); call 2b; je 1b");
CODE(popf_je, "1: pushl $0x246; cli; popfl; je 1b");
CODE(popf_ret, "jmp 1f; 2: pushl $0x246; popfl; ret; 1: cli; call 2b; je 1b");
CODE(je_cli, "cmpl $0, (%esi); 1: sti; je 2f; nop; 2: cli; jmp 1b");
CODE(jecxz_cli, "xorl %ecx, %ecx; 1: sti; jecxz 2f; nop; 2: cli; jmp 1b");
CODE(jmp_cli, "1: sti; jmp 2f; nop; 2: cli; jmp 1b");
CODE(next_cli, "1: sti; call 2f; 2: cli; popl %eax; jmp 1b");
CODE(call_cli, "1: sti; call 2f; jmp 1b; 2: cli; ret");
CODE(ret_cli, "jmp 1f; 2: sti; ret; 1: call 2b; cli; jmp 1b");

static const struct {
    const char *name;
    const uint8_t *code;
    bool one; /* they get in at one EIP only: its start, or CLI */
} loops[] = {{"sti_je", sti_je, true},          {"sti_nop_je", sti_nop_je, false},
             {"sti_cmp_je", sti_cmp_je, false}, {"sti_jmp", sti_jmp, true},
             {"sti_loop", sti_loop, true},      {"sti_ret", sti_ret, false},
             {"popf_je", popf_je, false},       {"popf_ret", popf_ret, false},
             {"je_cli", je_cli, true},          {"jecxz_cli", jecxz_cli, true},
             {"jmp_cli", jmp_cli, true},        {"next_cli", next_cli, true},
             {"call_cli", call_cli, true},      {"ret_cli", ret_cli, true}};

static void attempt(const char *name, const uint8_t *code, bool where) {
    struct regs in = regs_ring0(code);

    in.esi = ARENA;
    *(volatile uint32_t *)ARENA = 0;
    pic_timer_once(COUNT);
    run(&in);
    pic_mask(0xFFFF);
    printf("%s: vector %x, IF %u", name, trap.vector, trap.regs.eflags >> 9 & 1);
    if (where)
        printf(", at %x", trap.regs.eip - (uint32_t)code);
    printf("\n");
}

void guest_main(void) {
    for (int times = 0; times < 2; times++)
        for (uint32_t i = 0; i < sizeof loops / sizeof loops[0]; i++)
            attempt(loops[i].name, loops[i].code, loops[i].one);
}
