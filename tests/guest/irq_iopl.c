/* CLI, STI, PUSHF, POPF by CPL and IOPL; IN, OUT, INS, OUTS in ring 3 by IOPL and the TSS's bitmap,
 * to the byte (SDM vol 1, 18.5; vol 2 POPF). */
#include "guest.h"

CODE(do_cli, "cli; pushfl; popl %eax");
CODE(do_sti, "sti; pushfl; popl %eax");
CODE(do_popf, "pushl %ebx; popfl; pushfl; popl %eax");
CODE(do_popf16, "pushw %bx; popfw; pushfl; popl %eax");
CODE(do_pushf16, "pushfw; popw %ax; movzwl %ax, %eax");
CODE(in8, "inb %dx, %al");
CODE(in16, "inw %dx, %ax");
CODE(in32, "inl %dx, %eax");
CODE(out8, "outb %al, %dx");
CODE(out32, "outl %eax, %dx");
CODE(in_imm, "inb $0xe4, %al");
CODE(do_insb, "insb");
CODE(do_outsw, "outsw");
CODE(do_rep_outsb, "rep outsb");

/* An unused port: reads give all ones, writes go nowhere. */
enum { PORT = 0x1A8 };

static void flags(const char *name, const uint8_t *code, int ring, uint32_t before,
                  uint32_t popped) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.eflags |= before;
    in.ebx = popped;
    run(&in);
    printf("%s ring%d before ", name, ring);
    print_flags(before);
    if (popped) {
        printf(" popped ");
        print_flags(popped);
    }
    printf(": ");
    if (trap.vector == VECTOR_END)
        print_flags(trap.regs.eax);
    else
        printf("%s(%x) eip+%d", vector_name(trap.vector), trap.error, trap.regs.eip - in.eip);
    printf("\n");
}

static void port(const char *name, const uint8_t *code, uint32_t number, uint32_t eflags) {
    struct regs in = regs_ring3(code);
    in.eflags |= eflags;
    in.edx = number;
    in.esi = in.edi = ARENA;
    in.ecx = 3;
    run(&in);
    printf("%04x ", number);
    report(name, &in);
}

static void allow(uint32_t number, bool yes) {
    uint8_t bit = (uint8_t)(1 << (number & 7));
    tss.io_map[number / 8] =
        (uint8_t)(yes ? tss.io_map[number / 8] & ~bit : tss.io_map[number / 8] | bit);
}

void guest_main(void) {
    enum { ALL = FLAGS_STATUS | FLAG_IF | FLAG_DF | FLAG_IOPL3 | FLAG_NT | FLAG_AC | FLAG_ID };
    static const uint32_t iopl[] = {0, 0x1000, 0x2000, 0x3000};
    for (int ring = 0; ring <= 3; ring += 3) {
        for (int i = 0; i < 4; i++) {
            flags("CLI", do_cli, ring, iopl[i] | FLAG_IF, 0);
            flags("STI", do_sti, ring, iopl[i], 0);
            flags("POPF", do_popf, ring, iopl[i], ALL);
            flags("POPF", do_popf, ring, iopl[i] | FLAG_IF,
                  FLAG_IOPL3 & ~iopl[i] ? 2u | (FLAG_IOPL3 & ~iopl[i]) : 2u);
            flags("POPFW", do_popf16, ring, iopl[i] | FLAG_AC | FLAG_ID, ALL & 0xFFFF);
        }
        flags("PUSHFW", do_pushf16, ring, ALL & ~FLAG_NT, 0);
    }

    port("in8", in8, PORT, 0);
    port("in8, IOPL 2", in8, PORT, 0x2000);
    port("in8, IOPL 3", in8, PORT, FLAG_IOPL3);
    port("in_imm", in_imm, 0, 0);
    port("in_imm, IOPL 3", in_imm, 0, FLAG_IOPL3);
    allow(PORT, true);
    port("in8, bit clear", in8, PORT, 0);
    port("out8, bit clear", out8, PORT, 0);
    port("in8, next port", in8, PORT + 1, 0);
    port("in8, port before", in8, PORT - 1, 0);
    port("in16, one of two", in16, PORT, 0);
    allow(PORT + 1, true);
    port("in16, two of two", in16, PORT, 0);
    port("in32, two of four", in32, PORT, 0);
    allow(PORT + 2, true);
    allow(PORT + 3, true);
    port("in32, four of four", in32, PORT, 0);
    port("out32, four of four", out32, PORT, 0);
    port("in32, across a byte of the map", in32, PORT + 6, 0);
    for (uint32_t i = 4; i < 12; i++)
        allow(PORT + i, true);
    port("in32, across a byte of the map", in32, PORT + 6, 0);
    port("insb", do_insb, PORT, 0);
    port("outsw", do_outsw, PORT, 0);
    port("rep outsb", do_rep_outsb, PORT, 0);
    port("rep outsb, denied", do_rep_outsb, PORT + 12, 0);

    allow(0xFFFF, true);
    port("last port", in8, 0xFFFF, 0);
    allow(0xFFFE, true);
    port("last two", in16, 0xFFFE, 0);

    /* The map ends with the TSS's limit. */
    gdt_set(SEL_TSS,
            descriptor((uint32_t)&tss, __builtin_offsetof(struct tss, io_map) + PORT / 8 + 1,
                       ACCESS_P | ACCESS_TSS, 0));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    port("within the limit", in8, PORT, 0);
    port("beyond the limit", in8, PORT + 0x400, 0);
    tss.io_base = 0xFFFF;
    port("no map", in8, PORT, 0);
    port("no map, IOPL 3", in8, PORT, FLAG_IOPL3);
}
