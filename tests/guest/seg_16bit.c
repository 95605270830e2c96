/* 16-bit protected mode: code segments with D clear, 66 and 67 prefixes, 16-bit addressing with its
 * wrap at 64 KiB, stacks with B clear (SP wraps, ESP's upper half stays), calls and gates between
 * the sizes (SDM vol 3A, 3.4.5, chapter 21; vol 1, 3.6). */
#include "guest.h"

enum {
    CODE16 = SEL_FREE,
    STACK16 = SEL_FREE + 8,
    DATA16 = SEL_FREE + 16,
    CODE_BASE = ARENA,
    STACK_BASE = ARENA + 0x10000,
    DATA_BASE = ARENA + 0x20000,
    STACK0_16 = SEL_FREE + 24,
    CODE0_16 = SEL_FREE + 32
};

static void attempt(const char *name, const char *from, const char *to, int ring, uint32_t esp) {
    uint32_t i = 0;
    for (const char *p = from; p != to; p++)
        ((volatile uint8_t *)CODE_BASE)[0x100 + i++] = (uint8_t)*p;
    ((volatile uint8_t *)CODE_BASE)[0x100 + i++] = 0xCD;
    ((volatile uint8_t *)CODE_BASE)[0x100 + i++] = VECTOR_END;
    for (i = 0; i < 0x10000; i += 4) {
        *(volatile uint32_t *)(DATA_BASE + i) = 0xD0000000 | i;
        *(volatile uint32_t *)(STACK_BASE + i) = 0x50000000 | i;
    }
    struct regs in = ring ? regs_ring3((void *)0x100) : regs_ring0((void *)0x100);
    in.cs = (uint32_t)(ring ? CODE16 | 3 : CODE0_16);
    in.ss = (uint32_t)(ring ? STACK16 | 3 : STACK0_16);
    in.ds = in.es = DATA16 | 3;
    in.esp = esp;
    if (!ring && (esp < 0x100 || esp > 0xF000))
        return; /* the exception frame itself would wrap */
    run(&in);
    /* IRET to a 16-bit stack need not load the upper half of ESP. */
    trap.regs.esp &= 0xFFFF;
    printf("ring%d ", ring);
    report(name, &in);
    for (i = 0; i < 0x10000; i += 4)
        if (*(volatile uint32_t *)(DATA_BASE + i) != (0xD0000000 | i))
            printf("  data %04x: %08x\n", i, *(volatile uint32_t *)(DATA_BASE + i));
}

/* Snippet `name`: `text` assembled as 16-bit code. */
#define CODE16(name, text)                                                                         \
    extern const char name[], name##_end[];                                                        \
    __asm__(".section .rodata\n.code16\n" #name ": " text "\n" #name "_end:\n.code32\n.text")

CODE16(code0, "nop");
CODE16(code1, "mov $0x1234, %ax; mov $0x12345678, %ecx; xor %dx, %dx");
CODE16(code2, "add $0x7fff, %cx; adc $0, %ax");
CODE16(code3, "push %ax; pop %bx; pushl %ecx; popl %edx");
CODE16(code4, "push $-1; pop %eax; pushl $-2; pop %cx; pop %dx");
CODE16(code5, "mov $0x20, %bx; mov $0x10, %si; mov 4(%bx,%si), %eax; mov %al, 2(%bx)");
CODE16(code6, "mov $0xfff0, %bx; mov $0x20, %si; mov (%bx,%si), %eax");
CODE16(code7, "mov $0x7f00, %bp; mov 4(%bp), %eax; mov $0x20, %di; mov (%bp,%di), %ecx");
CODE16(code8, "mov $0x30, %esi; mov 4(%esi), %eax; mov 8(,%esi,2), %cx");
CODE16(code9, "lea 0x1234(%bx,%di), %eax; lea -1(%si), %cx");
CODE16(code10, "mov %sp, %ax; pusha; popa; pushal; popal");
CODE16(code11, "call 1f; jmp 2f; 1: pop %ax; push %ax; ret; 2: mov %ax, %cx");
CODE16(code12, "push %cs; call 1f; jmp 2f; 1: lret; 2: nop");
CODE16(code13, "enter $8, $0; mov %sp, %ax; mov %bp, %cx; leave");
CODE16(code14, "mov $3, %cx; xor %ax, %ax; 1: inc %ax; loop 1b");
CODE16(code15,
       "mov $0x10002, %ecx; xor %ax, %ax; 1: inc %ax; .byte 0x67, 0xe2, 0; 2: mov $0x10000, "
       "%ecx; jcxz 3f; inc %ax; 3: jecxz 4f; inc %ax; 4: nop");
CODE16(code16, "mov $0x10, %si; mov $0x80, %di; mov $4, %cx; rep movsw");
CODE16(code17, "mov $0xfffe, %di; mov $0xabcd, %ax; mov $2, %cx; std; rep stosw; cld");
CODE16(code18, "mov $0xffff, %si; lodsb; lodsb");
CODE16(code19, "pushf; pop %ax; pushfl; popl %ecx; and $2, %ax; and $2, %ecx");
CODE16(code20, "mov $0x8000, %ax; cwd; cwde; cdq");
CODE16(code21, "mov $0x100, %ax; mov $0x200, %cx; mul %cx; imul $-3, %cx, %bx; test %bx, %bx");
CODE16(code22, "jmp 1f; ud2; 1: jz 2f; inc %ax; 2: nop");
CODE16(code23, "xor %dx, %dx; div %dx");
CODE16(code24, "ud2");
CODE16(code25, "push %ax; push %cx; pop %cx; pop %ax");
CODE16(code26, "mov $0x12340100, %esp; push %ax; push %cx; pop %dx; pushl %eax; mov %esp, %ebx; "
               "mov $0x100, %esp");
CODE16(code27, "pop %ax; pop %cx; push %ax; push %cx");
CODE16(code28, "mov $0x12340000, %esp; pushl %eax; mov %esp, %edx; popl %ecx; mov %esp, %ebx; mov "
               "$0x100, %esp");
CODE16(code29, "mov $0x12340100, %esp; sub $0x104, %sp; lea -8(%esp), %eax; mov $0x100, %esp");

static const struct {
    const char *begin, *end;
    uint32_t esp;
    const char *text;
} snippets[] = {
    {code0, code0_end, 0x8000, "nop"},
    {code1, code1_end, 0x8000, "mov $0x1234, %ax; mov $0x12345678, %ecx; xor %dx, %dx"},
    {code2, code2_end, 0x8000, "add $0x7fff, %cx; adc $0, %ax"},
    {code3, code3_end, 0x8000, "push %ax; pop %bx; pushl %ecx; popl %edx"},
    {code4, code4_end, 0x8000, "push $-1; pop %eax; pushl $-2; pop %cx; pop %dx"},
    {code5, code5_end, 0x8000,
     "mov $0x20, %bx; mov $0x10, %si; mov 4(%bx,%si), %eax; mov %al, 2(%bx)"},
    {code6, code6_end, 0x8000, "mov $0xfff0, %bx; mov $0x20, %si; mov (%bx,%si), %eax"},
    {code7, code7_end, 0x8000,
     "mov $0x7f00, %bp; mov 4(%bp), %eax; mov $0x20, %di; mov (%bp,%di), %ecx"},
    {code8, code8_end, 0x8000, "mov $0x30, %esi; mov 4(%esi), %eax; mov 8(,%esi,2), %cx"},
    {code9, code9_end, 0x8000, "lea 0x1234(%bx,%di), %eax; lea -1(%si), %cx"},
    {code10, code10_end, 0x8000, "mov %sp, %ax; pusha; popa; pushal; popal"},
    {code11, code11_end, 0x8000, "call 1f; jmp 2f; 1: pop %ax; push %ax; ret; 2: mov %ax, %cx"},
    {code12, code12_end, 0x8000, "push %cs; call 1f; jmp 2f; 1: lret; 2: nop"},
    {code13, code13_end, 0x8000, "enter $8, $0; mov %sp, %ax; mov %bp, %cx; leave"},
    {code14, code14_end, 0x8000, "mov $3, %cx; xor %ax, %ax; 1: inc %ax; loop 1b"},
    {code15, code15_end, 0x8000,
     "mov $0x10002, %ecx; xor %ax, %ax; 1: inc %ax; .byte 0x67, 0xe2, 0; 2: mov $0x10000, %ecx; "
     "jcxz "
     "3f; inc %ax; 3: jecxz 4f; inc %ax; 4: nop"},
    {code16, code16_end, 0x8000, "mov $0x10, %si; mov $0x80, %di; mov $4, %cx; rep movsw"},
    {code17, code17_end, 0x8000,
     "mov $0xfffe, %di; mov $0xabcd, %ax; mov $2, %cx; std; rep stosw; cld"},
    {code18, code18_end, 0x8000, "mov $0xffff, %si; lodsb; lodsb"},
    {code19, code19_end, 0x8000, "pushf; pop %ax; pushfl; popl %ecx; and $2, %ax; and $2, %ecx"},
    {code20, code20_end, 0x8000, "mov $0x8000, %ax; cwd; cwde; cdq"},
    {code21, code21_end, 0x8000,
     "mov $0x100, %ax; mov $0x200, %cx; mul %cx; imul $-3, %cx, %bx; test %bx, %bx"},
    {code22, code22_end, 0x8000, "jmp 1f; ud2; 1: jz 2f; inc %ax; 2: nop"},
    {code23, code23_end, 0x8000, "xor %dx, %dx; div %dx"},
    {code24, code24_end, 0x8000, "ud2"},
    {code25, code25_end, 0x2, "push %ax; push %cx; pop %cx; pop %ax"},
    {code26, code26_end, 0x100,
     "mov $0x12340100, %esp; push %ax; push %cx; pop %dx; pushl %eax; mov %esp, %ebx; mov $0x100, "
     "%esp"},
    {code27, code27_end, 0xFFFC, "pop %ax; pop %cx; push %ax; push %cx"},
    {code28, code28_end, 0x100,
     "mov $0x12340000, %esp; pushl %eax; mov %esp, %edx; popl %ecx; mov %esp, %ebx; mov $0x100, "
     "%esp"},
    {code29, code29_end, 0x100,
     "mov $0x12340100, %esp; sub $0x104, %sp; lea -8(%esp), %eax; mov $0x100, %esp"},
};

void guest_main(void) {
    uint8_t user = ACCESS_P | ACCESS_DPL3;
    gdt_set(CODE16, descriptor(CODE_BASE, 0xFFFF, user | ACCESS_CODE_R, 0));
    gdt_set(CODE0_16, descriptor(CODE_BASE, 0xFFFF, ACCESS_P | ACCESS_CODE_R, 0));
    gdt_set(STACK16, descriptor(STACK_BASE, 0xFFFF, user | ACCESS_DATA_RW, 0));
    gdt_set(STACK0_16, descriptor(STACK_BASE, 0xFFFF, ACCESS_P | ACCESS_DATA_RW, 0));
    gdt_set(DATA16, descriptor(DATA_BASE, 0xFFFF, user | ACCESS_DATA_RW, 0));
    report_flags = FLAGS_STATUS & ~FLAG_AF;

    for (int ring = 0; ring <= 3; ring += 3)
        for (unsigned i = 0; i < sizeof snippets / sizeof snippets[0]; i++)
            attempt(snippets[i].text, snippets[i].begin, snippets[i].end, ring, snippets[i].esp);
}
