/* User code as a system gives it to the processor: paging, interrupts on, SSE enabled. A monitor
 * may run such code natively; what it does without a trap, and how it traps, must not show that.
 * Flags by POPF, selectors and LAR/LSL, IOPL, INT n, page faults, self-modifying code, x87 under
 * CR0.TS, interrupts (SDM vol 2; vol 3A 5.5 to 5.9, 6.12). */
#include "guest.h"

#define TICKS 5
enum {
    CR4_FXSR_XMM = 0x600,
    DATA3 = ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW | ACCESS_ACCESSED,
};

CODE(plain, "incl %eax; decl %ecx; xchgl %edx, %ebx; pushl %edi; popl %esi");
CODE(int80, "nop; int $0x80");
CODE(int3, "nop; int3");
CODE(int_timer, "int $0x20");
CODE(into_taken, "movb $0x7f, %al; incb %al; into");
CODE(cli_insn, "cli");
CODE(sti_insn, "sti");
CODE(hlt_insn, "hlt");
CODE(in_insn, "inb $0x60, %al");
CODE(out_insn, "outb %al, $0x80");
CODE(mov_cr, "movl %cr0, %eax");
CODE(mov_dr, "movl %dr7, %eax");
CODE(clts_insn, "clts");
CODE(invlpg_insn, "invlpg (%esi)");
CODE(rdmsr_insn, "rdmsr");
CODE(ud2_insn, "ud2");
CODE(divide, "xorl %ecx, %ecx; divl %ecx");
CODE(bound_insn, "boundl %eax, (%esi)");
CODE(sysenter_insn, "sysenter");
CODE(syscall_insn, "syscall");
CODE(popf_iopl, "pushl $0x3202; popfl; pushfl; popl %eax");
CODE(popf_if, "pushl $2; popfl; pushfl; popl %eax");
CODE(popf_nt, "pushl $0x4202; popfl; pushfl; popl %eax; pushl $0x202; popfl");
CODE(popf_ac, "pushl $0x40202; popfl; pushfl; popl %eax; pushl $0x202; popfl");
CODE(popf_id, "pushl $0x200202; popfl; pushfl; popl %eax; pushl $0x202; popfl");
CODE(popf_df, "pushl $0x602; popfl; lodsb; cld");
CODE(popf_tf, "pushl $0x302; popfl; nop; nop; nop");
CODE(gs_null, "xorl %eax, %eax; movl %eax, %gs; movl $3, %eax; movl %eax, %fs");
CODE(gs_rpl, "movl $" TEXT(SEL_DATA3) " & ~3, %eax; movl %eax, %gs; movl %gs, %ebx");
CODE(gs_code, "movl $" TEXT(SEL_CODE3) ", %eax; movl %eax, %gs; movl %gs:(%esi), %ebx");
CODE(gs_kernel, "movl $" TEXT(SEL_DATA0) ", %eax; movl %eax, %gs");
CODE(gs_beyond, "movl $0xff3, %eax; movl %eax, %gs");
CODE(gs_ldt, "movl $7, %eax; movl %eax, %gs");
CODE(gs_based, "movl $" TEXT(SEL_FREE) " + 3, %eax; movl %eax, %gs; movl %gs:0, %ebx");
CODE(ds_null_use, "xorl %eax, %eax; movl %eax, %ds; movl (%esi), %eax");
CODE(ss_kernel, "movl $" TEXT(SEL_DATA0) ", %eax; movl %eax, %ss");
CODE(far_jump, "ljmp $" TEXT(SEL_CODE3) ", $1f; 1: incl %eax");
CODE(far_kernel, "ljmp $" TEXT(SEL_CODE0) ", $1f; 1: incl %eax");
CODE(far_call, "lcall $" TEXT(SEL_CODE3) ", $1f; jmp 2f; 1: incl %eax; lretl; 2: nop");
CODE(lar_user, "movl $" TEXT(SEL_DATA3) ", %ecx; lar %ecx, %eax; setz %bl; andl $0xf0ff00, %eax");
CODE(lar_kernel, "movl $" TEXT(SEL_DATA0) ", %ecx; lar %ecx, %eax; setz %bl");
CODE(lsl_small, "movl $" TEXT(SEL_FREE) " + 0x13, %ecx; lsl %ecx, %eax; setz %bl");
CODE(lsl_beyond, "movl $0xff3, %ecx; lsl %ecx, %eax; setz %bl");
CODE(verr_user, "movl $" TEXT(SEL_CODE3) ", %ecx; verr %cx; setz %bl; verw %cx; setz %bh");
CODE(str_insn, "str %eax; sldt %ebx");
CODE(smsw_insn, "smsw %eax; andl $0xf, %eax");
CODE(read_absent, "movl (%esi), %eax");
CODE(write_absent, "movl %eax, 8(%esi)");
CODE(run_absent, "jmp *%esi");
CODE(write_arena, "movl %eax, 8(%esi); movl 8(%esi), %ebx");
CODE(modify_code, "movb $0x40, 1f; jmp 1f; 1: nop; nop");
CODE(modify_often, "movl $300, %ecx; 2: xorb $8, 1f; jmp 1f; 1: incl %eax; loop 2b");
CODE(x87, "fninit; fld1; fld1; faddp; fistpl (%esi); movl (%esi), %eax");
CODE(sse, "movl $7, (%esi); movd (%esi), %xmm1; paddd %xmm1, %xmm1; movd %xmm1, %eax");
CODE(spin, "1: cmpl $" TEXT(TICKS) ", (%esi); jb 1b");
CODE(rep_stos, "movl $5000, %ecx; movl %esi, %edi; xorl %eax, %eax; rep stosb");

static uint32_t *const ticks = (uint32_t *)ARENA;

static void on_tick(struct trap_frame *frame) {
    (void)frame;
    ++*ticks;
    pic_eoi(0);
}

static void attempt(const char *name, const void *code) {
    struct regs in = regs_ring3(code);

    in.eflags |= FLAG_IF;
    in.esi = ARENA;
    run(&in);
    report(name, &in);
}

#define USER(code) attempt(#code, code)

static void with_page(const char *name, const void *code, uint32_t pte) {
    printf("%s: ", name);
    paging_set(ARENA, pte);
    attempt("", code);
    paging_set(ARENA, ARENA | PTE_ALL);
}

void guest_main(void) {
    paging_init();
    write_cr4(read_cr4() | CR4_FXSR_XMM);
    gdt_set(SEL_FREE, descriptor(ARENA + 0x100, 0xfffff, DATA3, FLAG_SEG_32_4K));
    gdt_set(SEL_FREE + 0x10, descriptor(0, 0x123, DATA3, FLAG_SEG_B));
    *(uint32_t *)(ARENA + 0x100) = 0x12345678;
    report_flags = 0;

    USER(plain);
    USER(int80), USER(int3), USER(int_timer), USER(into_taken);
    USER(cli_insn), USER(sti_insn), USER(hlt_insn), USER(in_insn), USER(out_insn);
    USER(mov_cr), USER(mov_dr), USER(clts_insn), USER(invlpg_insn), USER(rdmsr_insn);
    USER(ud2_insn), USER(divide), USER(sysenter_insn), USER(syscall_insn);
    *(uint32_t *)ARENA = 0, *(uint32_t *)(ARENA + 4) = 1;
    USER(bound_insn);
    USER(popf_iopl), USER(popf_if), USER(popf_nt), USER(popf_ac), USER(popf_id), USER(popf_df);
    USER(popf_tf);
    USER(gs_null), USER(gs_rpl), USER(gs_code), USER(gs_kernel), USER(gs_beyond), USER(gs_ldt);
    USER(gs_based), USER(ds_null_use), USER(ss_kernel);
    USER(far_jump), USER(far_kernel), USER(far_call);
    USER(lar_user), USER(lar_kernel), USER(lsl_small), USER(lsl_beyond), USER(verr_user);
    USER(str_insn), USER(smsw_insn);
    with_page("absent", read_absent, 0);
    with_page("absent", write_absent, 0);
    with_page("absent", run_absent, 0);
    with_page("read-only", write_absent, ARENA | PTE_P | PTE_U);
    with_page("kernel's", read_absent, ARENA | PTE_P | PTE_W);
    paging_set(ARENA, ARENA | PTE_ALL);
    USER(write_arena);
    printf("A and D: %x\n", *paging_pte(ARENA) & (PTE_A | PTE_D));
    USER(modify_code), USER(modify_often);
    USER(x87), USER(sse);
    write_cr0(read_cr0() | CR0_TS);
    USER(x87), USER(sse);
    write_cr0(read_cr0() & ~CR0_TS);
    USER(rep_stos);

    trap_handlers[VECTOR_IRQ] = on_tick;
    outb(0x43, 0x34); /* channel 0, mode 2, 1 ms */
    outb(0x40, 1193 & 0xff);
    outb(0x40, 1193 >> 8);
    *ticks = 0;
    pic_mask(0xfffe);
    USER(spin);
    pic_mask(0xffff);
    printf("ticks %s\n", *ticks >= TICKS ? "counted" : "missed");
}
