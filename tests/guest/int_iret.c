/* IRET: the checks of CS, SS and EIP on the way to an outer ring, the nulling of segment registers,
 * and which flags it may change by CPL and IOPL; 16-bit IRET; NT (SDM vol 2A, IRET). */
#include "guest.h"

/* EIP from ESI, CS EDX, EFLAGS ECX, ESP EBX, SS EAX. */
CODE(iret_outer, "pushl %eax; pushl %ebx; pushl %ecx; pushl %edx; pushl %esi; iretl");
CODE(iret_flags, "pushl %ecx; pushl %edx; pushl %esi; iretl");
CODE(iret16, "pushw %cx; pushw %dx; pushw %si; iretw");
CODE(landing, "pushfl; popl %ecx");
CODE(segments, "movw %di, %ds; movw %bp, %es; movw $" TEXT(
                   SEL_DATA0) ", %ax; movw %ax, %fs;"
                              "movw $" TEXT(SEL_DATA1) ", %ax; movw %ax, %gs; movl $" TEXT(
                                  SEL_DATA3) ", %eax;"
                                             "pushl %eax; pushl %ebx; pushl %ecx; pushl %edx; "
                                             "pushl %esi; iretl");

enum { OTHER = SEL_FREE, STACK = SEL_FREE + 8 };

static struct regs outer(void) {
    struct regs in = regs_ring0(iret_outer);
    in.eax = SEL_DATA3;
    in.ebx = STACK_RING3;
    in.ecx = 2;
    in.edx = SEL_CODE3;
    in.esi = (uint32_t)landing;
    return in;
}

static void show(const char *name, struct regs in) {
    run(&in);
    if (trap.vector == VECTOR_END)
        in.eip = trap.regs.eip;
    in.ecx = trap.regs.ecx;
    report(name, &in);
}

static void with_cs(const char *name, uint32_t cs) {
    struct regs in = outer();
    in.edx = cs;
    show(name, in);
}

static void with_ss(const char *name, uint32_t ss) {
    struct regs in = outer();
    in.eax = ss;
    show(name, in);
}

static void flags(const char *name, int ring, uint32_t before, uint32_t popped) {
    struct regs in = ring ? regs_ring3(iret_flags) : regs_ring0(iret_flags);
    in.eflags |= before;
    in.ecx = popped;
    in.edx = in.cs;
    in.esi = (uint32_t)landing;
    run(&in);
    printf("%s ring%d before ", name, ring);
    print_flags(before);
    printf(" popped ");
    print_flags(popped);
    printf(": ");
    if (trap.vector == VECTOR_END)
        print_flags(trap.regs.ecx);
    else
        printf("%s", vector_name(trap.vector));
    printf("\n");
}

void guest_main(void) {
    show("good", outer());
    with_cs("CS null", 0);
    with_cs("CS null, RPL 3", 3);
    with_cs("CS beyond the table", GDT_SLOTS * 8 + 3);
    with_cs("CS data", SEL_DATA3);
    with_cs("CS DPL 0, RPL 3", SEL_CODE0 | 3);
    with_cs("CS DPL 3, RPL 0", SEL_CODE3 & ~3);
    with_cs("CS TSS", SEL_TSS | 3);
    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_DPL3 | ACCESS_CODE_R, FLAG_SEG_32_4K));
    with_cs("CS absent", OTHER | 3);
    gdt_set(OTHER, descriptor(0, 0xFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R, FLAG_SEG_B));
    with_cs("EIP beyond the limit", OTHER | 3);
    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K));
    with_cs("CS conforming", OTHER | 3);
    with_ss("SS null", 0);
    with_ss("SS null, RPL 3", 3);
    with_ss("SS beyond the table", GDT_SLOTS * 8 + 3);
    with_ss("SS RPL 0", SEL_DATA3 & ~3);
    with_ss("SS DPL 0", SEL_DATA0 | 3);
    with_ss("SS code", SEL_CODE3);
    gdt_set(STACK, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA, FLAG_SEG_32_4K));
    with_ss("SS read-only", STACK | 3);
    gdt_set(STACK, descriptor(0, 0xFFFFF, ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    with_ss("SS absent", STACK | 3);
    struct regs in = outer();
    in.eax = SEL_DATA1;
    in.edx = SEL_CODE1;
    show("to ring 1", in);

    /* Data segments the outer ring may not have become null; the others stay. */
    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K));
    static const uint16_t data[] = {SEL_DATA0, SEL_DATA0 | 3, SEL_DATA1, SEL_DATA3, SEL_DATA3 & ~3,
                                    OTHER,     OTHER | 3,     SEL_CODE0, SEL_CODE3, 0};
    for (unsigned i = 0; i < sizeof data / sizeof data[0]; i++) {
        in = outer();
        in.eip = (uint32_t)segments;
        in.edi = data[i];
        in.ebp = data[(i + 3) % (sizeof data / sizeof data[0])];
        if (in.edi == (SEL_DATA0 | 3))
            in.edi = SEL_DATA0; /* cannot be loaded */
        if (in.ebp == (SEL_DATA0 | 3))
            in.ebp = SEL_DATA0;
        run(&in);
        printf("ds %04x es %04x:", in.edi, in.ebp);
        if (trap.vector != VECTOR_END)
            printf(" %s(%x)", vector_name(trap.vector), trap.error);
        printf(" ds %04x es %04x fs %04x gs %04x\n", trap.regs.ds, trap.regs.es, trap.regs.fs,
               trap.regs.gs);
    }

    enum { ALL = FLAGS_STATUS | FLAG_IF | FLAG_DF | FLAG_IOPL3 | FLAG_NT | FLAG_AC | FLAG_ID };
    static const int rings[] = {0, 3};
    for (int r = 0; r < 2; r++) {
        int ring = rings[r];
        flags("set", ring, 0, ALL & ~FLAG_NT);
        flags("clear", ring, FLAGS_STATUS | FLAG_DF | FLAG_AC | FLAG_ID | FLAG_IF, 0);
        flags("IOPL 3", ring, FLAG_IOPL3, FLAG_IF);
        flags("IOPL 3", ring, FLAG_IOPL3 | FLAG_IF, 0);
        flags("IOPL 2", ring, 0x2000, FLAG_IF | FLAG_IOPL3);
        flags("NT", ring, 0, FLAG_NT);
    }

    /* IRETW keeps the upper half of EFLAGS and takes 16 bits of EIP. */
    *(volatile uint32_t *)0x8000 = 0x90F0CD; /* INT 0F0h */
    in = regs_ring0(iret16);
    in.eflags |= FLAG_AC | FLAG_ID;
    in.ecx = FLAG_DF | FLAG_CF | 2;
    in.edx = SEL_CODE0;
    in.esi = 0x8000;
    report_flags = FLAG_AC | FLAG_ID | FLAG_DF | FLAG_CF;
    show("IRETW", in);
    printf("  eip %08x\n", trap.regs.eip);
}
