/* Which of several events at one place comes first: instruction breakpoints before faults of the
 * fetch, those before decoding's, #UD and #NM before operands, traps of the instruction before
 * interrupts, the interrupt shadows of STI and MOV SS against TF and breakpoints
 * (SDM vol 3A, 6.9 table 6-2, 6.8.3). */
#include "guest.h"

enum { PAGE = ARENA + 0x4000, MAX = 12 };

static struct {
    char kind;
    uint32_t eip, dr6;
} seen[MAX];
static unsigned count;
static bool keep_stepping;

static void note(char kind, struct trap_frame *frame) {
    if (count < MAX) {
        seen[count].kind = kind;
        seen[count].eip = frame->eip;
        seen[count].dr6 = read_dr6() & 0xE00F;
    }
    count++;
    write_dr6(0);
}

static void on_debug(struct trap_frame *frame) {
    bool fault = (read_dr6() & 0xF) && read_dr7() & 0xF && !(read_dr7() >> 16 & 3);
    note('D', frame);
    if (fault)
        frame->eflags |= FLAG_RF;
    if (!keep_stepping)
        frame->eflags &= ~FLAG_TF;
}

static void on_irq(struct trap_frame *frame) {
    note('I', frame);
    pic_eoi(0);
}

static void raise_pit(void) {
    outb(0x43, 0x30);
    outb(0x40, 20);
    outb(0x40, 0);
    while (!(pic_irr(PIC1) & 1))
        ;
    pic_mask(0xFFFE);
}

static void attempt(const char *name, struct regs in, bool irq) {
    count = 0;
    write_dr6(0);
    if (irq)
        raise_pit();
    run(&in);
    write_dr7(0x400);
    pic_mask(0xFFFF);
    printf("%s:", name);
    for (unsigned i = 0; i < count && i < MAX; i++) {
        printf(" %c+%d", seen[i].kind, seen[i].eip - in.eip);
        if (seen[i].kind == 'D')
            printf("/%04x", seen[i].dr6);
    }
    printf(" %s+%d\n", trap.vector == VECTOR_END ? "end" : vector_name(trap.vector),
           trap.regs.eip - in.eip);
}

CODE(nops, "nop; nop; nop");
CODE(sti_nops, "sti; nop; nop; nop");
CODE(sti_mov_ss, "movl %ss, %eax; sti; movl %eax, %ss; nop; nop");
CODE(mov_ss_sti, "movl %ss, %eax; movl %eax, %ss; sti; nop; nop");
CODE(mov_ss_twice, "movl %ss, %eax; sti; movl %eax, %ss; movl %eax, %ss; nop; nop");
CODE(pop_ss_nops, "pushl %ss; sti; popl %ss; nop; nop");
CODE(lss_nops, "movl %esp, (%esi); movw %ss, 4(%esi); sti; lssl (%esi), %esp; nop; nop");
CODE(popf_nops, "pushfl; orl $0x200, (%esp); popfl; nop; nop");
CODE(popf_lss, "movl %esp, (%esi); movw %ss, 4(%esi); pushfl; orl $0x200, (%esp); addl $0, %eax; "
               "popfl; lssl (%esi), %esp; nop; nop");
CODE(iret_nops, "pushfl; orl $0x200, (%esp); pushl %cs; pushl $1f; iretl; 1: nop; nop");
CODE(store_sti, "movl %eax, (%esi); nop; nop");
CODE(sti_store, "sti; movl %eax, (%esi); nop; nop");
CODE(sti_ud, "sti; ud2");
CODE(lock_fld, ".byte 0xf0; flds (%esi)");
CODE(fld_absent, "flds (%edi)");
CODE(sse_absent, "movaps 4(%edi), %xmm0");
CODE(mov_cr_lock, ".byte 0xf0; movl %eax, %cr0");
CODE(div_absent, "divl (%edi)");
CODE(out_absent, "movw $0x1a8, %dx; movl %edi, %esi; outsb");
CODE(in_absent, "movw $0x1a8, %dx; insb");

#define ROW(name, ring) (ring ? regs_ring3(name) : regs_ring0(name))

static struct regs with(struct regs in, uint32_t eflags) {
    in.eflags |= eflags;
    in.esi = ARENA;
    in.edi = PAGE;
    return in;
}

void guest_main(void) {
    paging_init();
    write_cr0(read_cr0() | CR0_MP | CR0_NE);
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE);
    trap_handlers[1] = on_debug;
    trap_handlers[VECTOR_IRQ] = on_irq;
    keep_stepping = true;

    for (int ring = 0; ring <= 3; ring += 3) {
        printf("ring %d\n", ring);
        uint32_t iopl = ring ? FLAG_IOPL3 : 0;
        attempt("IRQ, IF set before", with(ROW(nops, ring), iopl | FLAG_IF), true);
        attempt("IRQ and TF, IF set before", with(ROW(nops, ring), iopl | FLAG_IF | FLAG_TF), true);
        attempt("STI", with(ROW(sti_nops, ring), iopl), true);
        attempt("STI, TF", with(ROW(sti_nops, ring), iopl | FLAG_TF), true);
        attempt("STI, MOV SS", with(ROW(sti_mov_ss, ring), iopl), true);
        attempt("STI, MOV SS, TF", with(ROW(sti_mov_ss, ring), iopl | FLAG_TF), true);
        attempt("MOV SS, STI", with(ROW(mov_ss_sti, ring), iopl), true);
        attempt("MOV SS, STI, TF", with(ROW(mov_ss_sti, ring), iopl | FLAG_TF), true);
        attempt("POP SS", with(ROW(pop_ss_nops, ring), iopl), true);
        attempt("LSS", with(ROW(lss_nops, ring), iopl), true);
        attempt("POPF", with(ROW(popf_nops, ring), iopl), true);
        attempt("POPF, TF", with(ROW(popf_nops, ring), iopl | FLAG_TF), true);
        attempt("POPF, LSS", with(ROW(popf_lss, ring), iopl), true);
        attempt("IRET", with(ROW(iret_nops, ring), iopl), true);
        attempt("STI, #UD", with(ROW(sti_ud, ring), iopl), true);
        write_dr0(ARENA);
        write_dr7(0x400 | 2 | 0xF0000);
        attempt("STI, watched store", with(ROW(sti_store, ring), iopl), true);
        write_dr7(0x400 | 2 | 0xF0000);
        attempt("watched store, TF", with(ROW(store_sti, ring), iopl | FLAG_TF), false);
        write_dr0((uint32_t)nops + 1);
        write_dr7(0x400 | 2);
        attempt("breakpoint behind a step", with(ROW(nops, ring), iopl | FLAG_TF), false);
        write_dr0((uint32_t)sti_nops + 1);
        write_dr7(0x400 | 2);
        attempt("breakpoint in STI's shadow, IRQ", with(ROW(sti_nops, ring), iopl), true);

        /* fetch */
        struct regs in = with(ROW(nops, ring), 0);
        in.eip = PAGE;
        paging_set(PAGE, 0);
        write_dr0(PAGE);
        write_dr7(0x400 | 2);
        attempt("breakpoint on an absent page", in, false);
        attempt("without", in, false);
        /* operands */
        attempt("LOCK x87, absent", with(ROW(lock_fld, ring), 0), false);
        write_cr0(read_cr0() | CR0_TS);
        attempt("#NM before #PF", with(ROW(fld_absent, ring), 0), false);
        attempt("#UD before #NM", with(ROW(lock_fld, ring), 0), false);
        attempt("SSE #NM before alignment", with(ROW(sse_absent, ring), 0), false);
        write_cr0(read_cr0() & ~CR0_TS);
        attempt("alignment before #PF", with(ROW(sse_absent, ring), 0), false);
        attempt("#UD before CPL", with(ROW(mov_cr_lock, ring), 0), false);
        struct regs div = with(ROW(div_absent, ring), 0);
        attempt("#PF before #DE", div, false);
        attempt("OUTS, absent or denied", with(ROW(out_absent, ring), 0), false);
        attempt("INS, absent or denied", with(ROW(in_absent, ring), 0), false);
        paging_set(PAGE, PAGE | PTE_ALL);
    }
}
