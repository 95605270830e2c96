/* User code with segments that are not flat, as a system gives it to the processor: paging,
 * interrupts on, SSE enabled, so that a monitor may run it natively. Limits, bases, expand-down and
 * read-only segments; 16-bit code and stacks, whose upper half of ESP stays through whatever the
 * monitor does in between (SDM vol 3A, 3.4.5, 5.3 to 5.6; vol 1, 6.2.3). */
#include "guest.h"

enum {
    CR4_FXSR_XMM = 0x600,
    USER = ACCESS_P | ACCESS_DPL3,
    SEG = SEL_FREE | 3,
    CODE = (SEL_FREE + 8) | 3,
    STACK = (SEL_FREE + 16) | 3,
    CODE16 = (SEL_FREE + 24) | 3,
    STACK16 = (SEL_FREE + 32) | 3,
    FRESH = (SEL_FREE + 40) | 3,
    STACK16_BASE = ARENA + 0x100000,
    FILLED = 0x10020,
    CODE_BASE = ARENA + 0x40000,
    CODE_AT = 0x100,
    UNSEEN = ARENA + 0x200000 /* pages that nothing has touched */
};

CODE(read4, "movl (%esi), %eax");
CODE(write4, "movl %eax, (%esi)");
CODE(add4, "addl %eax, (%esi)");
CODE(read4_fs, "movl %fs:(%esi), %eax");
CODE(string, "movl $4, %ecx; movl %esi, %edi; movl $0x5a, %eax; rep stosb");
CODE(read4_cs, "movl %cs:(%esi), %eax");
CODE(push_pop, "pushl %eax; popl %ecx");
CODE(frame, "movl %esp, %ebp; movl %eax, (%ebp); call 1f; 1: popl %ecx; subl $1b, %ecx");
CODE(jump, "jmp *%esi");
CODE(where, "call 1f; 1: popl %eax");
CODE(sse_reads, "movups (%esi), %xmm0; movd %xmm0, %eax; fldl (%esi); fstp %st");

#define CODE_16(name, text)                                                                        \
    extern const uint8_t name[];                                                                   \
    __asm__(".text\n.code16\n" #name ":\n" text "\nint $0xf0\n.code32\n")

CODE_16(plain16, "mov $0x1234, %ax; xor %cx, %cx; inc %dx; cwde");
CODE_16(stack16, "push %ax; pushl %ebx; popl %ecx; pop %dx; pushf; pop %di; and $2, %di");
CODE_16(wrap16, "mov $0xfff0, %bx; mov $0x20, %si; mov (%bx,%si), %eax");
CODE_16(calls16, "call 1f; jmp 2f; 1: pop %ax; push %ax; ret; 2: sub %ax, %ax");
CODE_16(loop16, "mov $1000, %cx; 1: inc %eax; loop 1b");
CODE_16(esp_calls, "mov $0x5a5a8000, %esp; push %ax; call 1f; 1: pop %cx; mov %esp, %ebx; sub %cx, "
                   "%cx; mov $0x8000, %esp");
/* a page fault that only the monitor sees, a load that it does, its timer: none shows in ESP */
CODE_16(esp_fill,
        "mov $0x5a5a8000, %esp; addr32 mov %es:(%edi), %eax; mov %esp, %ebx; mov $0x8000, "
        "%esp");
CODE_16(esp_load, "mov $0xa5a58000, %esp; mov %di, %fs; mov %esp, %ebx; mov $0x8000, %esp");
CODE_16(esp_wait,
        "mov $0x12348000, %esp; mov $6000000, %ecx; 1: addr32 loop 1b; mov %esp, %ebx; mov "
        "$0x8000, %esp");
CODE_16(esp_fault, "mov $0x12348000, %esp; ud2");
/* to a 16-bit stack and back in 32-bit code */
CODE(switch_stack,
     "movl %esp, %ebp; movl %ss, %ecx; movl %edi, %ss; movl $0x77778000, %esp; pushl "
     "%eax; addl $1, %es:(%esi); movl %esp, %ebx; popl %edx; movl %ecx, %ss; movl %ebp, "
     "%esp");

static void attempt(const char *name, const uint8_t *code, struct regs *in, uint32_t code_base) {
    in->eip = (uint32_t)code - code_base;
    in->eflags |= FLAG_IF;
    for (uint32_t i = 0; i < FILLED; i += 4)
        *(volatile uint32_t *)(ARENA + i) = 0xA0000000 | i;
    run(in);
    if (in->ss == STACK16) /* IRET to a 16-bit stack need not load the upper half of ESP */
        trap.regs.esp &= 0xFFFF;
    report(name, in);
}

static void through(const char *name, const uint8_t *code, uint32_t esi) {
    struct regs in = regs_ring3(NULL);

    in.ds = in.es = in.fs = SEG;
    in.esi = esi;
    printf("%08x ", esi);
    attempt(name, code, &in, 0);
}

static void set(uint16_t selector, uint32_t base, uint32_t limit, uint8_t access, uint8_t flags) {
    gdt_set(selector, descriptor(base, limit, access | ACCESS_ACCESSED, flags));
}

static void data_segments(void) {
    static const uint32_t edges[] = {0, 0xFFC, 0xFFD, 0x1000, 0xFFFFFFFC};

    printf("limit FFF\n");
    set(SEG, ARENA, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        through("read", read4, edges[i]);
        through("write", write4, edges[i]);
        through("add", add4, edges[i]);
        through("read fs", read4_fs, edges[i]);
        through("string", string, edges[i]);
    }
    through("SSE, x87", sse_reads, 0xFF0);
    through("SSE, x87", sse_reads, 0xFF4);
    printf("1 page, 4 KiB units\n");
    set(SEG, ARENA, 1, USER | ACCESS_DATA_RW, FLAG_SEG_32_4K);
    through("read", read4, 0x1FFC);
    through("read", read4, 0x1FFD);
    printf("4 GiB, a base: wraps\n");
    set(SEG, ARENA + 0x10, 0xFFFFF, USER | ACCESS_DATA_RW, FLAG_SEG_32_4K);
    through("read", read4, 0);
    through("read", read4, 0xFFFFFFF0);
    through("write", write4, 0xFFFFFFF8);
    printf("expand-down\n");
    set(SEG, ARENA, 0xFFF, USER | ACCESS_DATA_DOWN, FLAG_SEG_B);
    through("read", read4, 0x1000);
    through("read", read4, 0xFFF);
    through("write", write4, 0);
    printf("expand-down, B clear\n");
    set(SEG, ARENA, 0xFFF, USER | ACCESS_DATA_DOWN, 0);
    through("read", read4, 0xFFFC);
    through("read", read4, 0xFFFD);
    printf("read-only\n");
    set(SEG, ARENA, 0xFFF, USER | ACCESS_DATA, FLAG_SEG_B);
    through("read", read4, 8);
    through("write", write4, 8);
}

/* Runs a copy of the code at CODE_BASE + CODE_AT; the rest of the segment ends the snippet. Without
 * a name nothing is reported. */
static void in_segment(const char *name, const uint8_t *code, uint32_t esi) {
    struct regs in = regs_ring3(NULL);

    for (uint32_t i = 0; i < 0x3000; i++)
        ((volatile uint8_t *)CODE_BASE)[i] = i & 1 ? VECTOR_END : 0xCD;
    for (uint32_t i = 0; i < 16; i++)
        ((volatile uint8_t *)CODE_BASE)[CODE_AT + i] = code[i];
    in.cs = CODE;
    in.esi = esi;
    if (name) {
        attempt(name, (const uint8_t *)CODE_AT, &in, 0);
        return;
    }
    in.eip = CODE_AT;
    in.eflags |= FLAG_IF;
    run(&in);
}

static void code_segments(void) {
    printf("code with a base and a limit\n");
    set(CODE, CODE_BASE, 0x1FFF, USER | ACCESS_CODE_R, FLAG_SEG_B);
    in_segment("where", where, 0);
    in_segment("jump", jump, 0x1FFE);
    in_segment(NULL, jump, 0x2000);
    printf("jump beyond: %s\n", vector_name(trap.vector));
    in_segment("read", read4_cs, 0x1FFC);
    in_segment("read beyond", read4_cs, 0x1FFD);
    set(CODE, CODE_BASE, 0xFFFFF, USER | ACCESS_CODE, FLAG_SEG_32_4K);
    in_segment("where, execute-only", where, 0);
    in_segment("read, execute-only", read4_cs, 0);
}

static void stacks(void) {
    struct regs in = regs_ring3(NULL);

    printf("stack with a base and a limit\n");
    set(STACK, ARENA, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    in.ss = STACK;
    in.esp = 0x1000;
    attempt("push", push_pop, &in, 0);
    in.esp = 0xFFC;
    attempt("frame", frame, &in, 0);
    in.esp = 0x1001;
    attempt("push beyond", push_pop, &in, 0);
    in.esp = 0;
    attempt("push at 0", push_pop, &in, 0);
    set(STACK, ARENA, 0xFFF, USER | ACCESS_DATA_DOWN, FLAG_SEG_B);
    in.esp = 0x1004;
    attempt("push, expand-down", push_pop, &in, 0);
    in.esp = 0x1003;
    attempt("push beyond, expand-down", push_pop, &in, 0);
}

static void sixteen_bits(void) {
    struct regs in = regs_ring3(NULL);
    uint32_t base = (uint32_t)plain16 & ~0xFFFFu;

    printf("16-bit code and stack\n");
    set(CODE16, base, 0xFFFF, USER | ACCESS_CODE_R, 0);
    set(STACK16, STACK16_BASE, 0xFFFF, USER | ACCESS_DATA_RW, 0);
    set(SEG, ARENA, 0xFFFF, USER | ACCESS_DATA_RW, 0);
    gdt_set(FRESH, descriptor(ARENA, 0xFFFF, USER | ACCESS_DATA_RW, 0));
    in.cs = CODE16;
    attempt("plain", plain16, &in, base);
    attempt("32-bit stack", calls16, &in, base);
    in.ds = in.fs = SEG;
    in.ss = STACK16;
    in.esp = 0x8000;
    attempt("stack", stack16, &in, base);
    attempt("wrap", wrap16, &in, base);
    attempt("calls", calls16, &in, base);
    attempt("loop", loop16, &in, base);
    attempt("ESP after calls", esp_calls, &in, base);
    in.edi = UNSEEN;
    attempt("ESP after a fill", esp_fill, &in, base);
    in.edi = FRESH;
    attempt("ESP after a load", esp_load, &in, base);
    attempt("ESP after a while", esp_wait, &in, base);
    in.eip = (uint32_t)esp_fault - base;
    run(&in);
    printf("ESP of a fault: %08x\n", trap.regs.esp);

    in = regs_ring3(NULL);
    in.edi = STACK16;
    in.esi = UNSEEN + 0x10000;
    attempt("to a 16-bit stack and back", switch_stack, &in, 0);
}

void guest_main(void) {
    paging_init();
    write_cr4(read_cr4() | CR4_FXSR_XMM);
    report_flags = 0;

    data_segments();
    code_segments();
    stacks();
    sixteen_bits();
}
