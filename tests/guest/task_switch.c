/* Hardware task switches: far CALL, far JMP, INT n and #GP through a task gate, the way back by
 * IRET, 16- and 32-bit TSS, busy bits, NT, the back link, CR0.TS, and faults before and after the
 * switch (SDM vol 3A, 7.3 and 7.4). */
#include "guest.h"

enum { TASK = SEL_FREE, GATE = SEL_FREE + 8, TASK16 = SEL_FREE + 16, ABSENT = SEL_FREE + 24 };

/* SDM vol 3A, figure 7-10. */
struct tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs,
        ss, ds, ldt;
};

static struct tss task;
static struct tss16 task16;
uint32_t seen_flags, seen_esp, seen_error, seen_ebx;

#define SEE "pushfl; popl seen_flags; movl %esp, seen_esp; movl %ebx, seen_ebx;"

extern const uint8_t by_iret[], by_jmp[], with_error[], in_16[];
__asm__(".text\n"
        "by_iret: " SEE "leal 1(%ebx), %ebx; iretl; jmp by_iret\n"
        "by_jmp: " SEE
        "ljmp $" TEXT(SEL_TSS) ", $0; jmp by_jmp\n"
                               "with_error: " SEE
                               "popl seen_error; incl tss+32; iretl; jmp with_error\n"
                               ".code16\n"
                               "in_16: iretw\n jmp in_16\n"
                               ".code32\n");

CODE(call_tss, "lcall $0x48, $0x1234");
CODE(jmp_tss, "ljmp $0x48, $0x1234");
CODE(call_gate, "lcall $0x53, $0");
CODE(call_tss16, "lcall $0x58, $0");
CODE(call_absent, "lcall $0x60, $0");
CODE(call_self, "lcall $0x28, $0");
CODE(int40, "int $0x40");
CODE(halt, "hlt");
CODE(nested_iret, "pushfl; orl $0x4000, (%esp); popfl; iretl");

static void prepare(const void *body) {
    task = (struct tss){.eip = (uint32_t)body,
                        .eflags = FLAG_ZF | 2,
                        .ebx = 0x1000,
                        .esp = STACK_FAULT,
                        .es = SEL_DATA0,
                        .cs = SEL_CODE0,
                        .ss = SEL_DATA0,
                        .ds = SEL_DATA3,
                        .io_base = sizeof(struct tss)};
    gdt_set(TASK, descriptor((uint32_t)&task, 0x67, ACCESS_P | ACCESS_TSS, 0));
    seen_flags = seen_esp = seen_error = seen_ebx = 0;
}

static void attempt(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    write_cr0(read_cr0() & ~CR0_TS);
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
    printf("  TS %d busy %02x %02x link %04x", !!(read_cr0() & CR0_TS), gdt_access(SEL_TSS),
           gdt_access(TASK), task.link & 0xFFFF);
    if (seen_esp) {
        printf(" seen ebx %x esp%d error %x ", seen_ebx, (int)(seen_esp - STACK_FAULT), seen_error);
        print_flags(seen_flags);
        printf(", saved ebx %x eip+%d", task.ebx, (int)(task.eip - (uint32_t)by_iret));
        printf(", old task eip+%d cs %04x", (int)(tss.eip - in.eip), tss.cs & 0xFFFF);
    }
    printf("\n");
    tss.eip = 0;
}

static void attempt_16(void) {
    struct regs in = regs_ring0(call_tss16);
    static const uint16_t selector = SEL_FREE + 32;
    uint32_t base = (uint32_t)in_16;

    gdt_set(selector, descriptor(base, 0xFFF, ACCESS_P | ACCESS_CODE_R, 0));
    task16 = (struct tss16){.flags = 2 | FLAG_CF,
                            .bx = 0x2000,
                            .sp = 0x1000,
                            .es = SEL_DATA0,
                            .cs = selector,
                            .ss = SEL_DATA0,
                            .ds = SEL_DATA0};
    gdt_set(TASK16, descriptor((uint32_t)&task16, 0x2B, ACCESS_P | 1, 0));
    run(&in);
    report("16-bit TSS", &in);
    printf("  busy %02x link %04x ip %x flags %04x bx %x cs %04x\n", gdt_access(TASK16),
           task16.link, task16.ip, task16.flags, task16.bx, task16.cs);
}

/* A field of the new TSS that does not load faults in the new task. */
static void bad_field(const char *name, uint32_t *field, uint32_t value) {
    prepare(by_iret);
    *field = value;
    struct regs in = regs_ring0(call_tss);
    run(&in);
    printf("%s: %s(%04x) eip %s, tr %s\n", name, vector_name(trap.vector), trap.error,
           trap.regs.eip == (uint32_t)by_iret ? "of the task" : "elsewhere",
           gdt_access(TASK) == (ACCESS_P | ACCESS_TSS_BUSY) ? "switched" : "kept");
    /* back to the first task without a word about this one */
    gdt_set(SEL_TSS, gdt[SEL_TSS / 8] & ~(2ULL << 40));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
}

void guest_main(void) {
    gdt_set(GATE, gate(TASK, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0));
    gdt_set(ABSENT, descriptor((uint32_t)&task, 0x67, ACCESS_TSS, 0));
    idt[0x40] = gate(TASK, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0);

    prepare(by_iret);
    attempt("CALL, IRET", call_tss, 0);
    attempt("CALL, IRET again", call_tss, 0);
    attempt("CALL gate, IRET", call_gate, 3);
    attempt("INT gate, IRET", int40, 3);
    prepare(by_jmp);
    attempt("JMP, JMP", jmp_tss, 0);

    prepare(with_error);
    uint64_t gp_gate = idt[13];
    idt[13] = gate(TASK, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
    attempt("#GP gate", halt, 3);
    idt[13] = gp_gate;

    attempt_16();

    prepare(by_iret);
    attempt("DPL of the TSS", call_tss, 3);
    attempt("busy TSS", call_self, 0);
    attempt("absent TSS", call_absent, 0);
    tss.link = TASK;
    attempt("IRET to a task not busy", nested_iret, 0);
    gdt_set(TASK, descriptor((uint32_t)&task, 0x66, ACCESS_P | ACCESS_TSS, 0));
    attempt("short TSS", call_tss, 0);

    bad_field(
        "DS execute-only", &task.ds,
        gdt_set(SEL_FREE + 40, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE, FLAG_SEG_32_4K)));
    bad_field("ES absent", &task.es,
              gdt_set(SEL_FREE + 48, descriptor(0, 0xFFFFF, ACCESS_DATA_RW, FLAG_SEG_32_4K)));
}
