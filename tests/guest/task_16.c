/* Task switches between 16- and 32-bit TSSs, by JMP, CALL, task gate, INT and IRET: what each size
 * saves and loads, links, busy bits, NT, upper halves, FS, GS, the LDT, CR3, virtual-8086 tasks,
 * the error codes with EXT (SDM vol 3A, 7.2-7.6). */
#include "guest.h"

enum {
    TASK32 = SEL_FREE,
    TASK16 = SEL_FREE + 8,
    GATE32 = SEL_FREE + 16,
    GATE16 = SEL_FREE + 24,
    CODE16_SEL = SEL_FREE + 32,
    LDT2 = SEL_FREE + 40,
    BAD = SEL_FREE + 48,
    /* A 16-bit TSS gives ESP all ones above SP: this brings it back to memory. */
    STACK_HIGH = SEL_FREE + 56,
    CATCHER = SEL_FREE + 64, /* three: #TS, #NP, #SS */
};

/* SDM vol 3A, figure 7-10. */
struct tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs,
        ss, ds, ldt;
};

static struct tss task32;
static struct tss16 task16;
static uint64_t ldt2[2];

CODE(jmp32, "ljmp $" TEXT(SEL_FREE) ", $0; incl %edi");
CODE(jmp16, "ljmp $" TEXT(SEL_FREE) " + 8, $0; incl %edi");
CODE(call32, "lcall $" TEXT(SEL_FREE) ", $0; incl %edi");
CODE(call16, "lcall $" TEXT(SEL_FREE) " + 8, $0; incl %edi");
CODE(gate32, "lcall $" TEXT(SEL_FREE) " + 16, $0; incl %edi");
CODE(gate16, "lcall $" TEXT(SEL_FREE) " + 24, $0; incl %edi");
CODE(jmp_gate16, "ljmp $" TEXT(SEL_FREE) " + 24, $0; incl %edi");
CODE(int16, "int $0x40; incl %edi");
CODE(fault16, "ud2; incl %edi");

/* What the tasks do. The 16-bit one runs 32-bit code where its IP suffices: code at 1 MiB is beyond
 * it, so it has a segment of its own. */
extern const uint8_t body16[], body16_end[];
__asm__(".text\n"
        "body32: pushfl; popl seen_flags; movl %esp, seen_esp; movw %fs, seen_fs; iretl\n"
        "jmp body32\n"
        "body32_end: pushfl; popl seen_flags; int $0xf0\n"
        ".code16\n"
        "body16: pushfl; popl %ebx; movl %esp, %ecx; movw %fs, %dx; incw %ax; iretw\n"
        "jmp body16\n"
        "body16_stop: pushfl; popl %ebx; movl %esp, %ecx; int $0xf0\n"
        "body16_up: lcallw $" TEXT(SEL_FREE) ", $0; incw %ax; iretw; jmp body16_up\n"
                                             "body16_end:\n"
                                             ".code32\n"
                                             "catch_task: popl seen_error; int $0xf0\n");
extern const uint8_t body32[], body32_end[], body16_stop[], body16_up[], catch_task[];
uint32_t seen_error;
uint32_t seen_flags, seen_esp;
uint16_t seen_fs;

static void prepare(void) {
    task32 = (struct tss){.eip = (uint32_t)body32,
                          .eflags = 2,
                          .eax = 0x10001,
                          .ecx = 0x20002,
                          .edx = 0x30003,
                          .ebx = 0x40004,
                          .ebp = 0x50005,
                          .esi = 0x60006,
                          .edi = 0x70007,
                          .esp = STACK_FAULT,
                          .es = SEL_DATA0,
                          .cs = SEL_CODE0,
                          .ss = SEL_DATA0,
                          .ds = SEL_DATA0,
                          .fs = SEL_DATA3,
                          .io_base = sizeof(struct tss)};
    task16 = (struct tss16){.ip = 0,
                            .flags = 2,
                            .ax = 0xA,
                            .cx = 0xC,
                            .dx = 0xD,
                            .bx = 0xB,
                            .sp = 0xF000,
                            .es = SEL_DATA0,
                            .cs = CODE16_SEL,
                            .ss = STACK_HIGH,
                            .ds = SEL_DATA0};
    gdt_set(STACK_HIGH,
            descriptor(STACK_RING0, 0xFFFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    gdt_set(TASK32, descriptor((uint32_t)&task32, 0x67, ACCESS_P | ACCESS_DPL3 | ACCESS_TSS, 0));
    gdt_set(TASK16, descriptor((uint32_t)&task16, 0x2B, ACCESS_P | ACCESS_DPL3 | 1, 0));
    gdt_set(GATE32, gate(TASK32, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0));
    gdt_set(GATE16, gate(TASK16, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0));
    gdt_set(CODE16_SEL, descriptor((uint32_t)body16, 0xFFFF, ACCESS_P | ACCESS_CODE_R, 0));
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS, 0));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS) : "memory");
    seen_flags = seen_esp = seen_fs = 0;
    write_cr0(read_cr0() & ~CR0_TS);
}

static void show(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    run(&in);
    uint16_t tr;
    __asm__ volatile("str %0" : "=r"(tr));
    printf("ring%d %s: %s", ring, name,
           trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
    if (trap.vector >= 10 && trap.vector <= 14)
        printf("(%04x)", trap.error);
    printf(" edi %x tr %04x busy %02x %02x %02x TS %d NT %d\n", trap.regs.edi, tr,
           gdt_access(SEL_TSS), gdt_access(TASK32), gdt_access(TASK16), !!(read_cr0() & CR0_TS),
           !!(trap.regs.eflags & FLAG_NT));
    printf("  links %04x %04x %04x, 16: ip %x flags %04x ax %x cx %x dx %x bx %x sp %x cs %04x\n",
           tss.link & 0xFFFF, task32.link & 0xFFFF, task16.link, task16.ip, task16.flags, task16.ax,
           task16.cx, task16.dx, task16.bx, task16.sp, task16.cs);
    printf("  32: eip+%d flags %x eax %x fs %x seen flags %x fs %x\n",
           (int)(task32.eip - (uint32_t)body32), task32.eflags, task32.eax, task32.fs & 0xFFFF,
           seen_flags, seen_fs);
    tss.link = 0;
}

static void end_state(const char *name) {
    printf("  %s: eax %08x ecx %08x ebx %08x ebp %08x fs %04x gs %04x cs %04x\n", name,
           trap.regs.eax, trap.regs.ecx, trap.regs.ebx, trap.regs.ebp, trap.regs.fs, trap.regs.gs,
           trap.regs.cs);
}

/* A field of the 16-bit TSS that does not load: the exception is the new task's, which has no stack
 * yet; only a task gate can serve it. By CALL and by an exception: without and with EXT. */
static void bad_field(const char *name, uint16_t *field, uint16_t value) {
    static struct tss catcher[3];
    uint64_t kept[3];
    for (int by_fault = 0; by_fault < 2; by_fault++) {
        prepare();
        *field = value;
        for (int i = 0; i < 3; i++) {
            uint16_t selector = (uint16_t)(CATCHER + 8 * i);
            catcher[i] = (struct tss){.eip = (uint32_t)catch_task,
                                      .eflags = 2,
                                      .esp = STACK_FAULT,
                                      .eax = 10 + (uint32_t)i,
                                      .es = SEL_DATA0,
                                      .cs = SEL_CODE0,
                                      .ss = SEL_DATA0,
                                      .ds = SEL_DATA0,
                                      .io_base = sizeof(struct tss)};
            gdt_set(selector, descriptor((uint32_t)&catcher[i], 0x67, ACCESS_P | ACCESS_TSS, 0));
            kept[i] = idt[10 + i];
            idt[10 + i] = gate(selector, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
        }
        struct regs in = regs_ring0(by_fault ? fault16 : call16);
        run(&in);
        uint32_t vector = trap.regs.eax;
        printf("%s%s: %s(%04x), link %04x, task's ip %x cs %04x ss %04x\n", name,
               by_fault ? " by #UD" : "", vector_name(vector), seen_error,
               catcher[vector - 10].link & 0xFFFF, task16.ip, task16.cs, task16.ss);
        for (int i = 0; i < 3; i++)
            idt[10 + i] = kept[i];
    }
    prepare();
}

static void bad_descriptor(const char *name, uint16_t selector) {
    uint64_t ud = idt[6];
    prepare();
    for (int by_fault = 0; by_fault < 2; by_fault++) {
        idt[6] = gate(selector, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
        idt[0x40] = gate(selector, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0);
        struct regs in = regs_ring0(by_fault ? fault16 : int16);
        run(&in);
        printf("%s %s: %s(%04x) eip+%d\n", name, by_fault ? "#UD" : "INT", vector_name(trap.vector),
               trap.error, (int)(trap.regs.eip - in.eip));
    }
    idt[6] = ud;
}

/* A task in virtual-8086 mode: EFLAGS.VM of the TSS. */
static void v86_task(void) {
    static const uint8_t code[] = {0x8C, 0xC8, 0x8C, 0xDB, 0x0F, 0x01, 0xE1, 0xF4};
    for (unsigned i = 0; i < sizeof code; i++)
        *(volatile uint8_t *)(0x20000 + i) = code[i];
    prepare();
    task32.eflags = FLAG_VM | FLAG_IOPL3 | 2;
    task32.eip = 0;
    task32.cs = 0x2000;
    task32.ds = 0x1234;
    task32.es = task32.fs = task32.gs = 0xFFFF;
    task32.ss = 0x3000;
    task32.esp = 0x1000;
    task32.esp0 = STACK_FAULT;
    task32.ss0 = SEL_DATA0;
    struct regs in = regs_ring0(jmp32);
    run(&in);
    printf("V86 task: %s(%04x) cs %04x eip %x ax %x bx %x ss %04x vm %d\n",
           vector_name(trap.vector), trap.error, trap.regs.cs, trap.regs.eip,
           trap.regs.eax & 0xFFFF, trap.regs.ebx & 0xFFFF, trap.regs.ss,
           !!(trap.regs.eflags & FLAG_VM));
    prepare();
}

void guest_main(void) {
    idt[0x40] = gate(TASK16, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_TASK_GATE, 0);
    prepare();
    show("CALL 32, IRET", call32, 0);
    prepare();
    show("CALL 16, IRET", call16, 0);
    show("again", call16, 0);
    prepare();
    show("CALL 16, IRET", call16, 3);
    prepare();
    show("gate 16, IRET", gate16, 3);
    prepare();
    show("gate 32, IRET", gate32, 3);
    prepare();
    show("INT gate 16, IRET", int16, 3);
    prepare();
    task16.ip = (uint16_t)(body16_stop - body16);
    show("JMP 16", jmp16, 0);
    end_state("in the task");
    prepare();
    task16.ip = (uint16_t)(body16_stop - body16);
    show("JMP gate 16", jmp_gate16, 3);
    prepare();
    task32.eip = (uint32_t)body32_end;
    show("JMP 32", jmp32, 3);
    end_state("in the task");
    prepare();
    task16.ip = (uint16_t)(body16_up - body16);
    show("CALL 16, CALL 32, two IRETs", call16, 0);
    prepare();
    task16.flags |= FLAG_NT;
    task16.ip = (uint16_t)(body16_stop - body16);
    show("JMP 16, NT in its flags", jmp16, 0);

    printf("LDT\n");
    ldt2[0] = descriptor((uint32_t)body16, 0xFFFF, ACCESS_P | ACCESS_CODE_R, 0);
    gdt_set(LDT2, descriptor((uint32_t)ldt2, sizeof ldt2 - 1, ACCESS_P | ACCESS_LDT, 0));
    prepare();
    task16.ldt = LDT2;
    task16.cs = 4;
    task16.ip = (uint16_t)(body16_stop - body16);
    show("code in its LDT", jmp16, 0);
    uint16_t ldtr;
    __asm__ volatile("sldt %0; lldt %w1" : "=&r"(ldtr) : "r"(SEL_LDT));
    printf("  ldtr %04x cs %04x\n", ldtr, trap.regs.cs);

    printf("bad fields\n");
    uint64_t ud = idt[6];
    idt[6] = gate(TASK16, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
    bad_field("LDT null is none, CS in it", &task16.cs, 4);
    bad_field("LDT not an LDT", &task16.ldt, SEL_DATA0);
    bad_field("LDT in the LDT", &task16.ldt, 4);
    bad_field("CS null", &task16.cs, 0);
    bad_field("CS data", &task16.cs, SEL_DATA0);
    bad_field("CS RPL above DPL", &task16.cs, CODE16_SEL | 3);
    gdt_set(BAD, descriptor((uint32_t)body16, 0xFFFF, ACCESS_CODE_R, 0));
    bad_field("CS absent", &task16.cs, BAD);
    bad_field("CS beyond the table", &task16.cs, 0x208);
    bad_field("SS null", &task16.ss, 0);
    bad_field("SS code", &task16.ss, SEL_CODE0);
    bad_field("SS DPL 3", &task16.ss, SEL_DATA3);
    gdt_set(BAD, descriptor(0, 0xFFFFF, ACCESS_DATA_RW, FLAG_SEG_32_4K));
    bad_field("SS absent", &task16.ss, BAD);
    bad_field("DS absent", &task16.ds, BAD);
    bad_field("ES beyond the table", &task16.es, 0x208);
    bad_field("DS TSS", &task16.ds, SEL_TSS);
    idt[6] = ud;
    printf("bad descriptors\n");
    bad_descriptor("null", 0);
    bad_descriptor("LDT", 4);
    bad_descriptor("busy", SEL_TSS);
    bad_descriptor("data", SEL_DATA0);
    bad_descriptor("beyond the table", 0x208);
    gdt_set(BAD, descriptor((uint32_t)&task32, 0x67, ACCESS_TSS, 0));
    bad_descriptor("absent", BAD);
    gdt_set(BAD, descriptor((uint32_t)&task32, 0x66, ACCESS_P | ACCESS_TSS, 0));
    bad_descriptor("short", BAD);
    gdt_set(BAD, descriptor((uint32_t)&task16, 0x2A, ACCESS_P | 1, 0));
    bad_descriptor("short 16", BAD);
    v86_task();
}
