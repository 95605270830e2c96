/* Virtual-8086 mode: entry by IRET, address formation, segment loads, PUSHF/POPF/CLI/STI/INT/IRET
 * by IOPL, privileged instructions, I/O by bitmap, exceptions and the ten-word frame (SDM vol 3B,
 * 20). */
#include "guest.h"

enum { CS86 = 0x0900, SS86 = 0x0A00, DS86 = 0x0B00 };

#define CODE86(name, text)                                                                         \
    extern const char name[], name##_end[];                                                        \
    __asm__(".section .rodata\n.code16\n" #name ": " text "\n" #name "_end:\n.code32\n.text")

CODE86(nothing, "nop; int $0xf0");
CODE86(compute, "mov $0x1234, %ax; mov %ds, %cx; mov %cs, %dx; mov 0x10, %bx; int $0xf0");
CODE86(
    segments,
    "mov $0x1000, %ax; mov %ax, %es; mov %es:0, %bx; push %es; pop %fs; mov %fs, %cx; int $0xf0");
CODE86(stack, "push %ax; pushl %ebx; pop %cx; pop %dx; pop %bx; int $0xf0");
CODE86(far_ret, "push %cs; .byte 0x68; .word 1f - far_ret; lretw; ud2; 1: mov %cs, %ax; int $0xf0");
CODE86(far_jmp, "ljmp $0x08f0, $(1f - far_jmp + 0x100); ud2; 1: mov %cs, %ax; int $0xf0");
CODE86(wrap, "mov $0xffff, %bx; mov (%bx), %al; int $0xf0");
CODE86(high, "mov $0xffff, %ax; mov %ax, %es; mov %es:0x10, %bx; int $0xf0");
CODE86(do_cli, "cli; int $0xf0");
CODE86(do_sti, "sti; int $0xf0");
CODE86(do_pushf, "pushf; pop %ax; int $0xf0");
CODE86(do_popf, "push $0x3202; popf; pushf; pop %ax; int $0xf0");
CODE86(do_int, "int $0x30; int $0xf0");
CODE86(do_int3, "int3; int $0xf0");
CODE86(do_iret, "pushf; push %cs; push $(1f - do_iret); iret; ud2; 1: int $0xf0");
CODE86(do_hlt, "hlt");
CODE86(do_cr0, "mov %cr0, %eax");
CODE86(do_lgdt, "lgdt 0");
CODE86(do_lldt, "lldt %ax");
CODE86(do_sldt, "sldt %ax");
CODE86(do_arpl, ".byte 0x63, 0xc0");
CODE86(do_lar, "lar %ax, %bx");
CODE86(do_in, "mov $0x1a8, %dx; in %dx, %al; int $0xf0");
CODE86(do_div, "xor %cx, %cx; div %cx");
CODE86(do_ud, "ud2");
CODE86(do_smsw, "smsw %ax; int $0xf0");
CODE86(do_sgdt, "sgdt 0x20; int $0xf0");
CODE86(string, "mov $0x10, %si; mov $0x40, %di; mov $4, %cx; rep movsw; int $0xf0");

static void attempt(const char *name, const char *begin, const char *end, uint32_t flags) {
    for (const char *p = begin; p != end; p++)
        ((volatile char *)(CS86 << 4))[p - begin] = *p;
    for (uint32_t i = 0; i < 256; i += 4)
        *(volatile uint32_t *)((DS86 << 4) + i) = 0xD0000000 | i;
    struct regs in = regs_ring3(0);
    in.cs = CS86;
    in.ss = SS86;
    in.esp = 0x800;
    in.ds = in.es = in.fs = in.gs = DS86;
    in.eflags = 2 | FLAG_VM | flags;
    run(&in);
    printf("iopl%d ", flags >> 12 & 3);
    report(name, &in);
    if (trap.vector != VECTOR_END && !(trap.regs.eflags & FLAG_VM))
        printf("  not in virtual-8086 mode\n");
}

#define TRY86(code)                                                                                \
    attempt(#code, code, code##_end, 0);                                                           \
    attempt(#code, code, code##_end, FLAG_IOPL3)

void guest_main(void) {
    *(volatile uint16_t *)0x10000 = 0xE5E5;
    *(volatile uint16_t *)0x100000 = 0x1BAD; /* the first bytes of the image, via FFFF:0010 */
    idt[3] |= (uint64_t)ACCESS_DPL3 << 40;
    idt[0x30] |= (uint64_t)ACCESS_DPL3 << 40;
    report_flags = FLAG_IF | FLAG_IOPL3 | FLAG_VM;
    ((volatile uint8_t *)(DS86 << 4))[0xFFFF] = 0x77;
    TRY86(nothing);
    TRY86(compute);
    TRY86(segments);
    TRY86(stack);
    TRY86(far_ret);
    TRY86(far_jmp);
    TRY86(wrap);
    TRY86(high);
    TRY86(string);
    TRY86(do_cli);
    TRY86(do_sti);
    TRY86(do_pushf);
    TRY86(do_popf);
    TRY86(do_int);
    TRY86(do_int3);
    TRY86(do_iret);
    TRY86(do_hlt);
    TRY86(do_cr0);
    TRY86(do_lgdt);
    TRY86(do_lldt);
    TRY86(do_sldt);
    TRY86(do_arpl);
    TRY86(do_lar);
    TRY86(do_in);
    TRY86(do_div);
    TRY86(do_ud);
    TRY86(do_smsw);
    TRY86(do_sgdt);
    tss.io_map[0x1A8 / 8] = 0xFE;
    TRY86(do_in);
}
