/* Error codes of faults met while an event is delivered: the EXT bit is set for interrupts,
 * exceptions and INT1, clear for INT n, INT3 and INTO; IDT bit and selector; what becomes a double
 * fault and what does not (SDM vol 3A, 6.13, 6.15 table 6-5; vol 2A, INT n). */
#include "guest.h"

enum { ABSENT = SEL_FREE, DATA1_BAD = SEL_FREE + 8, IRQ_VECTOR = VECTOR_IRQ };

CODE(nops, "nop; nop; nop");
CODE(soft, "int $" TEXT(0x20));
CODE(int3, "int3");
CODE(into, "movb $0x7f, %al; addb $1, %al; into");
CODE(icebp, ".byte 0xf1");
CODE(undefined, "ud2");
CODE(divide, "xorl %ecx, %ecx; divl %ecx");
CODE(step, "nop; nop");
CODE(no_fpu, "fninit");
CODE(bound, "movl $5, (%esi); movl $6, 4(%esi); movl $9, %eax; bound %eax, (%esi)");

static const struct {
    const char *name;
    const uint8_t *code;
    uint8_t vector;
    uint32_t eflags;
} events[] = {
    {"IRQ", nops, IRQ_VECTOR, FLAG_IF},
    {"INT n", soft, IRQ_VECTOR, 0},
    {"INT3", int3, 3, 0},
    {"INTO", into, 4, 0},
    {"INT1", icebp, 1, 0},
    {"TF", step, 1, FLAG_TF},
    {"#UD", undefined, 6, 0},
    {"#NM", no_fpu, 7, 0},
    {"#BR", bound, 5, 0},
    {"#DE", divide, 0, 0},
};
enum { EVENTS = sizeof events / sizeof events[0] };

/* An interrupt that waits to be taken. */
static void raise_pit(void) {
    outb(0x43, 0x30);
    outb(0x40, 20);
    outb(0x40, 0);
    while (!(pic_irr(PIC1) & 1))
        ;
    pic_mask(0xFFFE);
}

static void show(unsigned n, int ring) {
    struct regs in = ring ? regs_ring3(events[n].code) : regs_ring0(events[n].code);
    in.eflags |= events[n].eflags;
    in.esi = ARENA;
    if (n == 0)
        raise_pit();
    write_cr0(events[n].code == no_fpu ? read_cr0() | CR0_TS : read_cr0() & ~CR0_TS);
    run(&in);
    pic_mask(0xFFFF);
    if (n == 0) {
        pic_init();
        pic_mask(0xFFFF);
    }
    printf(" %s %s", events[n].name, vector_name(trap.vector));
    if (trap.vector == 8 || (trap.vector >= 10 && trap.vector <= 14))
        printf("(%04x)", trap.error);
    if (trap.regs.eip != in.eip)
        printf("+%d", trap.regs.eip - in.eip);
}

/* Each event through this gate. */
static void all(const char *title, uint64_t entry, int ring) {
    printf("%s, ring %d:", title, ring);
    for (unsigned n = 0; n < EVENTS; n++) {
        uint64_t kept = idt[events[n].vector];
        idt[events[n].vector] = entry;
        show(n, ring);
        idt[events[n].vector] = kept;
    }
    printf("\n");
}

static void both(const char *title, uint64_t entry) {
    all(title, entry, 0);
    all(title, entry, 3);
}

enum { OPEN = ACCESS_P | ACCESS_DPL3 };

void guest_main(void) {
    uint32_t target = idt_entry(0x55);
    gdt_set(ABSENT, descriptor(0, 0xFFFFF, ACCESS_CODE_R, FLAG_SEG_32_4K));
    both("absent gate", gate(SEL_CODE0, target, ACCESS_DPL3 | ACCESS_INT_GATE, 0));
    both("call gate", gate(SEL_CODE0, target, OPEN | ACCESS_CALL_GATE, 0));
    both("null selector", gate(0, target, OPEN | ACCESS_INT_GATE, 0));
    both("null selector with RPL", gate(3, target, OPEN | ACCESS_INT_GATE, 0));
    both("data", gate(SEL_DATA0, target, OPEN | ACCESS_INT_GATE, 0));
    both("beyond the table", gate(0x1230, target, OPEN | ACCESS_INT_GATE, 0));
    both("LDT", gate(0x7C, target, OPEN | ACCESS_TRAP_GATE, 0));
    both("absent code", gate(ABSENT, target, OPEN | ACCESS_INT_GATE, 0));
    all("outer code", gate(SEL_CODE3, target, OPEN | ACCESS_INT_GATE, 0), 0);
    all("gate of DPL 0", gate(SEL_CODE0, target, ACCESS_P | ACCESS_INT_GATE, 0), 3);
    both("task gate to data", gate(SEL_DATA0, 0, OPEN | ACCESS_TASK_GATE, 0));
    both("task gate, busy", gate(SEL_TSS, 0, OPEN | ACCESS_TASK_GATE, 0));
    both("task gate, null", gate(0, 0, OPEN | ACCESS_TASK_GATE, 0));

    /* To ring 1, whose stack is bad. */
    uint64_t inner = gate(SEL_CODE1, target, OPEN | ACCESS_INT_GATE, 0);
    uint32_t ss1 = tss.ss1;
    tss.ss1 = 0;
    all("SS1 null", inner, 3);
    tss.ss1 = SEL_DATA0;
    all("SS1 of ring 0", inner, 3);
    tss.ss1 = 0x1231;
    all("SS1 beyond the table", inner, 3);
    gdt_set(DATA1_BAD, descriptor(0, 0xFFFFF, ACCESS_DPL1 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    tss.ss1 = DATA1_BAD | 1;
    all("SS1 absent", inner, 3);
    gdt_set(DATA1_BAD, descriptor(0, 0xF, ACCESS_P | ACCESS_DPL1 | ACCESS_DATA_RW, FLAG_SEG_B));
    all("SS1 too small", inner, 3);
    tss.ss1 = ss1;
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, 0xF, ACCESS_P | ACCESS_TSS, 0));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS_BUSY, 0));
    all("SS1 beyond the TSS", inner, 3);
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS, 0));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));

    /* The IDT ends behind #GP: vectors above it do not exist. */
    printf("beyond the IDT:");
    lidt(idt, 14 * 8 + 7);
    for (unsigned n = 0; n < 2; n++) {
        struct regs in = regs_ring0(events[n].code);
        in.eflags |= events[n].eflags;
        if (n == 0)
            raise_pit();
        run(&in);
        printf(" %s %s(%04x)", events[n].name, vector_name(trap.vector), trap.error);
    }
    printf("\n");
}
