/* When a pending interrupt is taken: after the instruction that follows STI, right after POPF and
 * IRET, not between STI and CLI, out of HLT (SDM vol 2B STI; vol 3A, 6.8.1 and 6.8.3). The PIT's
 * IRQ 0 is pending before each snippet; the outcome INT 20 tells the interrupted EIP. */
#include "guest.h"

CODE(sti_nop, "sti; nop; nop; nop");
CODE(sti_twice, "sti; sti; nop; nop");
CODE(sti_cli, "sti; cli; nop; nop");
CODE(sti_popf, "pushl $2; sti; popfl; nop; nop");
CODE(sti_inc, "sti; incl %eax; incl %eax; incl %eax");
CODE(sti_load, "sti; movl (%esi), %eax; incl %eax");
CODE(sti_push, "sti; pushl %eax; nop");
CODE(sti_call, "sti; call 1f; nop; 1: nop");
CODE(sti_branch, "sti; jmp 1f; nop; 1: nop");
CODE(sti_jmp_cli, "sti; jmp 1f; nop; 1: cli; nop");
CODE(sti_jne_cli, "cmpl %eax, %eax; sti; jne 1f; cli; nop; 1: nop");
CODE(sti_call_cli, "sti; call 1f; nop; 1: cli; nop");
CODE(sti_next_cli, "sti; call 1f; 1: cli; nop");
CODE(sti_jump_cli, "movl $1f, (%esi); sti; jmp *(%esi); nop; 1: cli; nop");
CODE(sti_fn_cli, "movl $1f, (%esi); sti; call *(%esi); nop; 1: cli; nop");
CODE(sti_ret_cli, "jmp 2f; 1: sti; ret; 2: call 1b; cli; nop");
CODE(sti_ret_n_cli, "jmp 2f; 1: sti; ret $4; 2: pushl %eax; call 1b; cli; nop");
/* Memory that a monitor has to look at first. */
CODE(sti_mmio, "sti; movl %eax, 0xb8000; nop; nop");
CODE(sti_mmio_cli, "sti; movl %eax, 0xb8004; cli; nop");
CODE(sti_small_gs, "sti; movl %gs:(%esi), %eax; nop; nop");
CODE(sti_fresh, "sti; movl %eax, 0x7654(%esi); nop; nop");
CODE(sti_writes_code,
     "movl $0x90909090, %eax; sti; movl %eax, 2f; nop; 2: nop; nop; nop; nop; nop");
CODE(sti_hlt, "sti; hlt; nop");
CODE(sti_ud, "sti; ud2");
CODE(popf_nop, "pushl $0x202; popfl; nop; nop");
CODE(popf_same, "pushl $2; popfl; nop; nop");
CODE(popf16, "pushw $0x202; popfw; nop; nop");
CODE(iret_nop, "pushl $0x202; pushl $8; pushl $1f; iretl; nop; 1: nop; nop");
CODE(cli_nop, "cli; nop");
CODE(first_insn, "incl %eax; incl %eax");

static void pend(void) {
    pic_init();
    outb(0x43, 0x30); /* channel 0, mode 0: IRQ 0 rises when the count is done, and stays */
    outb(0x40, 20);
    outb(0x40, 0);
    while (!(pic_irr(PIC1) & 1))
        ;
    pic_mask(0xFFFE);
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t eflags) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.eflags |= eflags;
    in.esi = in.edi = ARENA;
    in.ecx = 1000;
    in.gs = SEL_FREE; /* to the end of RAM */
    *(volatile uint32_t *)ARENA = 0;
    pend();
    run(&in);
    pic_mask(0xFFFF);
    printf("ring%d ", ring);
    report(name, &in);
    printf("  irr %x isr %x\n", pic_irr(PIC1) & 1, pic_isr(PIC1));
}

#define ATTEMPT(code) attempt(#code, code, 0, 0)
/* Again and again: code may run in another way then. */
#define ATTEMPT_OFTEN(code)                                                                        \
    do {                                                                                           \
        for (int times = 0; times < 4; times++)                                                    \
            attempt(#code, code, 0, 0);                                                            \
    } while (0)

/* STI is the last instruction of a page or of many. */
static void attempt_behind(const char *name, uint32_t nops, const uint8_t *next, uint32_t bytes) {
    uint8_t *sti = (uint8_t *)ARENA + 0x1fff;

    for (uint32_t k = 1; k <= nops; k++)
        sti[0u - k] = 0x90;
    sti[0] = 0xfb;
    for (uint32_t k = 0; k < bytes; k++)
        sti[1 + k] = next[k];
    for (int times = 0; times < 4; times++)
        attempt(name, sti - nops, 0, 0);
}

static void attempt_page_end(void) {
    static const uint8_t nop_cli[] = {0x90, 0xfa, 0xcd, VECTOR_END},
                         cli[] = {0xfa, 0xcd, VECTOR_END},
                         jmp_cli[] = {0xeb, 0x01, 0x90, 0xfa, 0xcd, VECTOR_END},
                         hlt[] = {0xf4, 0x90, 0xcd, VECTOR_END};

    attempt_behind("sti, next page nop cli", 3, nop_cli, sizeof nop_cli);
    attempt_behind("sti, next page cli", 3, cli, sizeof cli);
    attempt_behind("sti, next page jmp cli", 3, jmp_cli, sizeof jmp_cli);
    attempt_behind("sti, next page hlt", 3, hlt, sizeof hlt);
    attempt_behind("241 nop, sti, next page cli", 241, cli, sizeof cli);
}

void guest_main(void) {
    gdt_set(SEL_FREE,
            descriptor(0, 0x3fff, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    ATTEMPT(sti_nop);
    ATTEMPT(sti_twice);
    ATTEMPT(sti_cli);
    ATTEMPT(sti_popf);
    ATTEMPT(sti_inc);
    ATTEMPT(sti_load);
    ATTEMPT(sti_push);
    ATTEMPT(sti_call);
    ATTEMPT(sti_branch);
    ATTEMPT(sti_hlt);
    ATTEMPT(sti_ud);
    ATTEMPT(popf_nop);
    ATTEMPT(popf_same);
    ATTEMPT(popf16);
    ATTEMPT(iret_nop);
    ATTEMPT(cli_nop);
    ATTEMPT_OFTEN(sti_jmp_cli);
    ATTEMPT_OFTEN(sti_jne_cli);
    ATTEMPT_OFTEN(sti_call_cli);
    ATTEMPT_OFTEN(sti_next_cli);
    ATTEMPT_OFTEN(sti_jump_cli);
    ATTEMPT_OFTEN(sti_fn_cli);
    ATTEMPT_OFTEN(sti_ret_cli);
    ATTEMPT_OFTEN(sti_ret_n_cli);
    attempt_page_end();
    ATTEMPT_OFTEN(sti_mmio);
    ATTEMPT_OFTEN(sti_mmio_cli);
    ATTEMPT_OFTEN(sti_small_gs);
    ATTEMPT_OFTEN(sti_fresh);
    ATTEMPT_OFTEN(sti_writes_code);
    attempt("first_insn, IF set by IRET", first_insn, 0, FLAG_IF);
    attempt("first_insn, IF set by IRET", first_insn, 3, FLAG_IF);
    attempt("first_insn, IF clear", first_insn, 3, 0);
    attempt("sti_nop, IOPL 3", sti_nop, 3, FLAG_IOPL3);
    attempt("popf_nop, IOPL 3", popf_nop, 3, FLAG_IOPL3);
    attempt("popf_nop, IOPL 0", popf_nop, 3, 0);
}
