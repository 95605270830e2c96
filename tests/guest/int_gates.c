/* INT n, INT3, INTO through 32-bit interrupt and trap gates: IF, TF, NT, the frame, the stack
 * switch from ring 3, gate DPL and presence, handlers in ring 1, and the checks of the target (SDM
 * vol 3A, 6.12; vol 2A, INT). */
#include "guest.h"

CODE(int30, "int $0x30");
CODE(int30_twice, "int $0x30; nop; int $0x30");
CODE(int3, "int3");
CODE(int3_long, ".byte 0xcd, 3");
CODE(into, "movb $0x80, %al; addb %al, %al; into");
CODE(int_ff, "int $0xff");
CODE(ring1_handler,
     "movl %cs, %eax; movl %ss, %ebx; popl %ecx; subl %esi, %ecx; popl %edx; addl $4, %esp;"
     "popl %ebp; popl %edi");
CODE(iret_handler, "movl %cs, %eax; movl %ss, %ebx; iretl");

static struct trap_frame seen;
static uint32_t seen_eflags, seen_esp, seen_cs, seen_ss;

static void record(struct trap_frame *frame) {
    seen_eflags = read_eflags();
    seen = *frame;
    seen_esp = (uint32_t)&frame->eip;
    __asm__ volatile("movl %%cs, %0; movl %%ss, %1" : "=r"(seen_cs), "=r"(seen_ss));
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t flags) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.eflags |= flags;
    in.esi = (uint32_t)code;
    seen = (struct trap_frame){0};
    run(&in);
    printf("ring%d ", ring);
    in.eflags &= ~(uint32_t)FLAG_NT;
    report(name, &in);
    if (!seen.eip)
        return;
    printf("  frame eip+%d cs %04x flags ", seen.eip - in.eip, seen.cs);
    print_flags(seen.eflags & ~FLAG_RF);
    if (ring)
        printf(" esp%d ss %04x", (int)(seen.esp - in.esp), seen.ss);
    printf(", handler cs %04x ss %04x flags ", seen_cs, seen_ss);
    print_flags(seen_eflags &
                (FLAG_IF | FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_IOPL3 | FLAG_AC | FLAG_ID));
    printf(" pushed %d\n", (int)((ring ? tss.esp0 : in.esp) - seen_esp));
}

static void set(uint8_t vector, uint16_t selector, uint32_t offset, uint8_t access) {
    idt[vector] = gate(selector, offset, access, 0);
}

enum {
    INT_GATE = ACCESS_P | ACCESS_INT_GATE,
    TRAP_GATE = ACCESS_P | ACCESS_TRAP_GATE,
    DPL3 = ACCESS_DPL3,
    OTHER = SEL_FREE,
    STACK = SEL_FREE + 8,
};

void guest_main(void) {
    trap_handlers[0x30] = trap_handlers[3] = trap_handlers[4] = trap_handlers[0xFF] = record;
    uint32_t entry = idt_entry(0x30);

    static const uint32_t flags[] = {0,
                                     FLAG_IF,
                                     FLAG_IF | FLAG_IOPL3,
                                     FLAG_IF | FLAG_NT,
                                     FLAG_AC | FLAG_ID,
                                     FLAG_DF | FLAGS_STATUS};
    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        for (int ring = 0; ring <= 3; ring += 3) {
            if (ring == 0 && flags[i] & FLAG_NT)
                continue; /* the handler's IRET clears NT first; nothing new */
            set(0x30, SEL_CODE0, entry, INT_GATE | DPL3);
            attempt("interrupt gate", int30, ring, flags[i]);
            set(0x30, SEL_CODE0, entry, TRAP_GATE | DPL3);
            attempt("trap gate", int30, ring, flags[i]);
        }
    }
    attempt("twice", int30_twice, 3, 0);

    set(3, SEL_CODE0, idt_entry(3), INT_GATE | DPL3);
    set(4, SEL_CODE0, idt_entry(4), INT_GATE | DPL3);
    for (int ring = 0; ring <= 3; ring += 3) {
        attempt("INT3", int3, ring, 0);
        attempt("INT 3", int3_long, ring, 0);
        attempt("INTO", into, ring, 0);
    }
    set(3, SEL_CODE0, idt_entry(3), INT_GATE);
    set(4, SEL_CODE0, idt_entry(4), INT_GATE);
    set(0x30, SEL_CODE0, entry, INT_GATE);
    attempt("INT3, gate DPL 0", int3, 3, 0);
    attempt("INT 3, gate DPL 0", int3_long, 3, 0);
    attempt("INTO, gate DPL 0", into, 3, 0);
    attempt("INT 30, gate DPL 0", int30, 3, 0);
    attempt("INT 30, gate DPL 0", int30, 0, 0);
    set(0x30, SEL_CODE0, entry, ACCESS_INT_GATE | DPL3);
    attempt("absent gate", int30, 3, 0);
    set(0x30, SEL_CODE0, entry, ACCESS_INT_GATE);
    attempt("absent gate, DPL 0", int30, 3, 0);
    static const uint8_t types[] = {ACCESS_CALL_GATE, ACCESS_TSS,    ACCESS_LDT,
                                    ACCESS_DATA_RW,   ACCESS_CODE_R, 0};
    for (unsigned i = 0; i < sizeof types; i++) {
        set(0x30, SEL_CODE0, entry, (uint8_t)(ACCESS_P | DPL3 | types[i]));
        printf("type %02x ", types[i]);
        attempt("bad gate", int30, 3, 0);
    }
    lidt(idt, 0xFF * 8 - 1);
    attempt("beyond the IDT", int_ff, 3, 0);
    lidt(idt, 0xFF * 8 + 6);
    attempt("half in the IDT", int_ff, 0, 0);
    lidt(idt, sizeof idt - 1);

    set(0x30, 0, entry, INT_GATE | DPL3);
    attempt("null code", int30, 3, 0);
    set(0x30, GDT_SLOTS * 8, entry, INT_GATE | DPL3);
    attempt("code beyond the table", int30, 3, 0);
    set(0x30, SEL_DATA0, entry, INT_GATE | DPL3);
    attempt("data", int30, 3, 0);
    set(0x30, SEL_CODE3, entry, INT_GATE | DPL3);
    attempt("outward", int30, 0, 0);
    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_CODE_R, FLAG_SEG_32_4K));
    set(0x30, OTHER, entry, INT_GATE | DPL3);
    attempt("code absent", int30, 3, 0);
    gdt_set(OTHER, descriptor(0, 0xFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_B));
    try_ring0("beyond the limit", int30);

    /* Into ring 3 and conforming code without a switch: EAX CS, EBX SS. */
    set(0x30, SEL_CODE3, (uint32_t)iret_handler, INT_GATE | DPL3);
    attempt("to ring 3", int30, 3, FLAG_IF);
    set(0x30, SEL_CODE3, (uint32_t)iret_handler, TRAP_GATE | DPL3);
    attempt("to ring 3", int30, 3, FLAG_IF);
    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K));
    set(0x30, OTHER, (uint32_t)iret_handler, TRAP_GATE | DPL3);
    attempt("to conforming code", int30, 3, 0);

    /* To ring 1, whose stack can be bad while ring 0's is good. */
    set(0x30, SEL_CODE1 & ~3, (uint32_t)ring1_handler, TRAP_GATE | DPL3);
    struct regs in = regs_ring3(int30);
    in.esi = (uint32_t)int30;
    run(&in);
    printf("ring 1: cs %04x ss %04x, frame eip+%d cs %04x esp%d ss %04x, esp1 %d\n",
           trap.regs.eax & 0xFFFF, trap.regs.ebx & 0xFFFF, trap.regs.ecx, trap.regs.edx & 0xFFFF,
           (int)(trap.regs.ebp - in.esp), trap.regs.edi & 0xFFFF,
           (int)(trap.regs.esp - STACK_RING1));
    static const struct {
        const char *name;
        uint16_t selector;
        uint8_t access;
    } stacks[] = {
        {"SS1 null", 0, 0},
        {"SS1 beyond the table", GDT_SLOTS * 8 + 1, 0},
        {"SS1 with RPL 0", STACK, ACCESS_P | ACCESS_DPL1 | ACCESS_DATA_RW},
        {"SS1 with DPL 0", STACK + 1, ACCESS_P | ACCESS_DATA_RW},
        {"SS1 read-only", STACK + 1, ACCESS_P | ACCESS_DPL1 | ACCESS_DATA},
        {"SS1 absent", STACK + 1, ACCESS_DPL1 | ACCESS_DATA_RW},
    };
    for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        tss.ss1 = stacks[i].selector;
        gdt_set(STACK, descriptor(0, 0xFFFFF, stacks[i].access, FLAG_SEG_32_4K));
        attempt(stacks[i].name, int30, 3, 0);
    }
    tss.ss1 = SEL_DATA1;

    /* A page fault while the frame is pushed: CR2, the supervisor's error code, ring 3 untouched.
     */
    paging_init();
    paging_set(ARENA, 0);
    tss.esp1 = ARENA + 4096 + 12;
    attempt("page absent under ESP1", int30, 3, 0);
    tss.esp1 = STACK_RING1;
    set(0x30, SEL_CODE0, entry, INT_GATE | DPL3);
    paging_set(ARENA, ARENA | PTE_P | PTE_W);
    tss.esp0 = ARENA + 4096;
    attempt("supervisor page under ESP0", int30, 3, 0);
    tss.esp0 = STACK_TRAP;
}
