/* More of virtual-8086 mode: system calls out of it, exceptions through gates of both sizes and
 * what they push, segments that come back as null, IRET into it and what of EFLAGS that loads,
 * limits and wrap-around, PUSHA's exception, what CR4.VME would change and CPUID does not offer
 * (SDM vol 3B, 20.2 and 20.3; vol 2B, SYSENTER, PUSHA; vol 2A, IRET, INT n). */
#include "guest.h"

enum { CS86 = 0x0900, SS86 = 0x1000, DS86 = 0x2000 };

#define CODE86(name, text)                                                                         \
    extern const uint8_t name[], name##_end[];                                                     \
    __asm__(".text\n.code16\n" #name ":\n" text "\nint3\n" #name "_end:\n.code32\n")

CODE86(sysenter_it, "sysenter");
CODE86(sysexit_it, "sysexit");
CODE86(pusha_7, "movw $7, %sp; pushaw");
CODE86(pusha_17, "movw $17, %sp; pushaw");
CODE86(pusha_wrap, "movw $8, %sp; pushaw; movw %sp, %bx; popaw");
CODE86(push_wrap, "movw $0, %sp; pushw %ax; movw %sp, %bx; popw %cx");
CODE86(push_odd, "movw $1, %sp; pushw %ax");
CODE86(pop_odd, "movw $0xffff, %sp; popw %ax");
CODE86(read_top, "movw 0xffff, %ax");
CODE86(read_32, "movl $0x10000, %ebx; movl (%ebx), %eax");
CODE86(jump_32, "ljmpl $0x900, $0x10000");
CODE86(ret_32, "pushl $0x900; pushl $0x10000; lretl");
CODE86(iretd, "pushl $0x24702; pushl $0x900; pushl $(1f - iretd); iretl; 1: pushfl; popl %eax");
CODE86(iretw, "pushw $0x7302; pushw $0x900; pushw $(1f - iretw); iretw; 1: pushfl; popl %eax");
CODE86(popfd, "pushl $0x00247ed7; popfl; pushfl; popl %eax");
CODE86(int_f1, ".byte 0xf1");
CODE86(into, "movb $0x7f, %al; addb $1, %al; into");
CODE86(bound, "movw $5, 0x20; movw $6, 0x22; movw $9, %ax; boundw %ax, 0x20");
CODE86(mov_cr, "movl %cr3, %eax");
CODE86(mov_dr, "movl %dr0, %eax");
CODE86(lmsw, "movw $1, %ax; lmsw %ax");
CODE86(clts, "clts");
CODE86(invlpg_it, "invlpg 0");
CODE86(rdmsr_it, "rdmsr");
CODE86(wbinvd, "wbinvd");
CODE86(rdpmc, "rdpmc");
CODE86(rdtsc_it, "rdtsc; xorl %eax, %eax; xorl %edx, %edx");
CODE86(ltr, "ltr %ax");
CODE86(lldt, "lldt %ax");
CODE86(verr, "verr %ax");
CODE86(lsl, "lslw %ax, %bx");
CODE86(sidt, "sidtl 0x40; movw 0x40, %ax");
CODE86(load_any, "movw $0x1234, %ax; movw %ax, %ds; movw %ax, %es; movw %ax, %fs; movw %ax, %gs");
CODE86(absent, "movw $0x3000, %ax; movw %ax, %es; movw %es:0, %bx");
CODE86(aligned, "movw 1, %ax");

static const struct {
    const char *name;
    const uint8_t *begin, *end;
} rows[] = {
#define ROW(name)                                                                                  \
    { #name, name, name##_end }
    ROW(sysenter_it), ROW(sysexit_it), ROW(pusha_7),   ROW(pusha_17), ROW(pusha_wrap),
    ROW(push_wrap),   ROW(push_odd),   ROW(pop_odd),   ROW(read_top), ROW(read_32),
    ROW(jump_32),     ROW(ret_32),     ROW(iretd),     ROW(iretw),    ROW(popfd),
    ROW(int_f1),      ROW(into),       ROW(bound),     ROW(mov_cr),   ROW(mov_dr),
    ROW(lmsw),        ROW(clts),       ROW(invlpg_it), ROW(rdmsr_it), ROW(wbinvd),
    ROW(rdpmc),       ROW(rdtsc_it),   ROW(ltr),       ROW(lldt),     ROW(verr),
    ROW(lsl),         ROW(sidt),       ROW(load_any),  ROW(absent),   ROW(aligned),
};

extern const uint8_t entered[];
__asm__(".text\nentered: int $0xf0\n");

static struct regs regs86(uint32_t flags) {
    struct regs in = regs_ring3(0);
    in.cs = CS86;
    in.ss = SS86;
    in.esp = 0x800;
    in.ds = in.es = in.fs = in.gs = DS86;
    in.eflags = 2 | FLAG_VM | flags;
    return in;
}

static void attempt(unsigned n, uint32_t flags) {
    for (uint32_t i = 0; i < (uint32_t)(rows[n].end - rows[n].begin); i++)
        ((volatile uint8_t *)(CS86 << 4))[i] = rows[n].begin[i];
    struct regs in = regs86(flags);
    run(&in);
    printf("iopl%d ", flags >> 12 & 3);
    report(rows[n].name, &in);
}

/* Through a gate of 16 bits: two-byte frame of nine words. */
extern const uint8_t entry16[];
__asm__(".text\nentry16: int $0xf0\n");

static void gate16(void) {
    enum { CODE16_SEL = SEL_FREE };
    struct regs in = regs86(FLAG_IOPL3);
    gdt_set(CODE16_SEL, descriptor((uint32_t)entry16, 0xFFF, ACCESS_P | ACCESS_CODE_R, 0));
    idt[0x41] = gate(CODE16_SEL, 0, ACCESS_P | ACCESS_DPL3 | 6, 0);
    ((volatile uint8_t *)(CS86 << 4))[0] = 0xCD;
    ((volatile uint8_t *)(CS86 << 4))[1] = 0x41;
    in.ds = 0x1111;
    in.es = 0x2222;
    in.fs = 0x3333;
    in.gs = 0x4444;
    run(&in);
    printf("16-bit gate: vector %x ds %x es %x fs %x gs %x, frame", trap.vector, trap.regs.ds,
           trap.regs.es, trap.regs.fs, trap.regs.gs);
    for (uint32_t i = 0; i < 9; i++)
        printf(" %x", *(volatile uint16_t *)(trap.regs.esp + 2 * i));
    printf("\n");
}

static void to_level(const char *name, uint16_t selector, uint32_t flags) {
    struct regs in = regs86(FLAG_IOPL3 | flags);
    idt[0x42] = gate(selector, idt_entry(0x42), ACCESS_P | ACCESS_DPL3 | ACCESS_INT_GATE, 0);
    ((volatile uint8_t *)(CS86 << 4))[0] = 0xCD;
    ((volatile uint8_t *)(CS86 << 4))[1] = 0x42;
    run(&in);
    printf("INT to %s: %s(%04x)\n", name, vector_name(trap.vector), trap.error);
}

CODE(set_vme, "movl $1, %eax; movl %eax, %cr4");
CODE(set_pvi, "movl $2, %eax; movl %eax, %cr4");
/* IRET into virtual-8086 mode from ring 0, by hand; from ring 3 VM is not loaded. */
CODE(iret_ring3, "pushl $0x20202; pushl %cs; pushl $1f; iretl; 1: pushfl; popl %eax");

void guest_main(void) {
    paging_init();
    idt[3] |= (uint64_t)ACCESS_DPL3 << 40;
    idt[4] |= (uint64_t)ACCESS_DPL3 << 40;
    for (uint32_t i = 0; i < 0x10000; i += 4096)
        paging_set(0x30000 + i, 0);
    for (uint32_t iopl = 0; iopl <= FLAG_IOPL3; iopl += FLAG_IOPL3)
        for (unsigned n = 0; n < sizeof rows / sizeof rows[0]; n++)
            attempt(n, iopl);
    write_cr0(read_cr0() | CR0_AM);
    attempt(sizeof rows / sizeof rows[0] - 1, FLAG_AC);
    write_cr4(CR4_TSD);
    attempt(26, FLAG_IOPL3);
    write_cr4(0);

    /* SYSENTER leaves virtual-8086 mode. */
    wrmsr(0x174, SEL_CODE0);
    wrmsr(0x175, STACK_FAULT);
    wrmsr(0x176, (uint32_t)entered);
    attempt(0, 0);
    wrmsr(0x174, 0);

    gate16();
    to_level("level 1", SEL_CODE1, 0);
    to_level("conforming level 3",
             gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_CONFORM,
                                          FLAG_SEG_32_4K)),
             0);
    to_level(
        "conforming level 0",
        gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K)),
        0);
    RING3(iret_ring3);
    RING0(set_vme);
    RING0(set_pvi);
    printf("CPUID VME %d\n", cpuid(1).edx >> 1 & 1);
}
