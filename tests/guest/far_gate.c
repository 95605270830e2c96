/* Call gates: privilege checks, stack switch with parameter copy, RET n to the outer ring with its
 * nulling of segment registers, and the errors on the way (SDM vol 3A, 5.8.3-5.8.6). */
#include "guest.h"

CODE(call_gate,
     "pushl $0x333; pushl $0x222; pushl $0x111; lcall $" TEXT(SEL_FREE) " + 3, $0xdeadbeef; nop");
CODE(call_gate_rpl0,
     "pushl $0x333; pushl $0x222; pushl $0x111; lcall $" TEXT(SEL_FREE) ", $0; nop");
CODE(jmp_gate, "ljmp $" TEXT(SEL_FREE) " + 3, $0");
/* Targets: EAX, EBX, EDX parameters, ECX = CS << 16 | SS. */
CODE(target3, "movl 8(%esp), %eax; movl 12(%esp), %ebx; movl 16(%esp), %edx;"
              "movl %cs, %ecx; shll $16, %ecx; movw %ss, %cx; lretl $12");
CODE(target0, "movl %cs, %ecx; shll $16, %ecx; movw %ss, %cx; lretl");
CODE(target_frame, "popl %eax; popl %ebx; popl %ecx; popl %edx; popl %esi; popl %edi");
CODE(target_end, "movl %cs, %ecx; shll $16, %ecx; movw %ss, %cx");
CODE(target_segments,
     "movw $" TEXT(SEL_DATA0) ", %ax; movw %ax, %ds; movw %ax, %es;"
                              "movw $" TEXT(
                                  SEL_DATA3) ", %ax; movw %ax, %fs;"
                                             "movw $" TEXT(
                                                 SEL_DATA1) ", %ax; movw %ax, %gs; lretl $12");

static void attempt(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
}

static void jump(const char *name, int ring) {
    struct regs in = ring ? regs_ring3(jmp_gate) : regs_ring0(jmp_gate);
    run(&in);
    in.eip = trap.regs.eip;
    printf("ring%d ", ring);
    report(name, &in);
}

static void set_gate(uint16_t selector, const uint8_t *target, uint8_t access, uint8_t count) {
    gdt_set(SEL_FREE, gate(selector, (uint32_t)target, access, count));
}

enum {
    GATE3 = ACCESS_P | ACCESS_DPL3 | ACCESS_CALL_GATE,
    OTHER = SEL_FREE + 8,
    STACK = SEL_FREE + 16
};

void guest_main(void) {
    set_gate(SEL_CODE0, target3, GATE3, 3);
    attempt("three parameters", call_gate, 3);
    attempt("RPL below CPL", call_gate_rpl0, 3);
    set_gate(SEL_CODE0 | 3, target3, GATE3, 3);
    attempt("RPL in the gate is ignored", call_gate, 3);
    set_gate(SEL_CODE0, target3, GATE3, 3);
    attempt("same ring copies nothing", call_gate, 0);
    set_gate(SEL_CODE0, target_frame, GATE3, 2);
    struct regs in = regs_ring3(call_gate);
    run(&in);
    printf("frame: eip+%d cs %04x, %x %x, esp%d ss %04x, esp0 %d\n", trap.regs.eax - in.eip,
           trap.regs.ebx & 0xFFFF, trap.regs.ecx, trap.regs.edx, (int)(trap.regs.esi - in.esp),
           trap.regs.edi & 0xFFFF, (int)(trap.regs.esp - STACK_TRAP));

    set_gate(SEL_CODE1, target3, GATE3, 3);
    attempt("to ring 1", call_gate, 3);
    set_gate(SEL_CODE3, target0, GATE3, 0);
    attempt("to ring 3", call_gate, 3);
    attempt("to ring 3", call_gate, 0);
    set_gate(SEL_CODE3, target_end, GATE3, 0);
    jump("jump to ring 3", 3);
    set_gate(SEL_CODE0, target_end, GATE3, 0);
    jump("jump inward", 3);
    jump("jump", 0);
    set_gate(SEL_CODE0, target_segments, GATE3, 3);
    attempt("segments after the return", call_gate, 3);

    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K));
    set_gate(OTHER, target0, GATE3, 3);
    attempt("to conforming code, no switch", call_gate, 3);
    set_gate(OTHER, target_end, GATE3, 0);
    jump("jump to conforming code", 3);

    set_gate(SEL_CODE0, target3, ACCESS_P | ACCESS_CALL_GATE, 3);
    attempt("gate DPL 0", call_gate, 3);
    attempt("gate DPL 0, RPL 3", call_gate, 0);
    attempt("gate DPL 0, RPL 0", call_gate_rpl0, 0);
    set_gate(SEL_CODE0, target3, ACCESS_DPL3 | ACCESS_CALL_GATE, 3);
    attempt("gate absent", call_gate, 3);
    set_gate(0, target3, GATE3, 3);
    attempt("null code", call_gate, 3);
    set_gate(GDT_SLOTS * 8, target3, GATE3, 3);
    attempt("code beyond the table", call_gate, 3);
    set_gate(SEL_DATA0, target3, GATE3, 3);
    attempt("data", call_gate, 3);
    gdt_set(OTHER, descriptor(0, 0xFFFFF, ACCESS_CODE_R, FLAG_SEG_32_4K));
    set_gate(OTHER, target3, GATE3, 3);
    attempt("code absent", call_gate, 3);
    gdt_set(OTHER, descriptor(0, 0xFFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_B));
    attempt("beyond the limit", call_gate, 0);

    /* The inner stack: ring 1's, so that the exception itself has ring 0's. */
    set_gate(SEL_CODE1, target3, GATE3, 3);
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
        {"SS1 code", STACK + 1, ACCESS_P | ACCESS_DPL1 | ACCESS_CODE_R},
        {"SS1 absent", STACK + 1, ACCESS_DPL1 | ACCESS_DATA_RW},
        {"SS1 good", STACK + 1, ACCESS_P | ACCESS_DPL1 | ACCESS_DATA_RW},
    };
    for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        tss.ss1 = stacks[i].selector;
        gdt_set(STACK, descriptor(0, 0xFFFFF, stacks[i].access, FLAG_SEG_32_4K));
        attempt(stacks[i].name, call_gate, 3);
    }
    tss.ss1 = SEL_DATA1;
    gdt_set(STACK, descriptor(ARENA, 0x1F, ACCESS_P | ACCESS_DPL1 | ACCESS_DATA_RW, FLAG_SEG_B));
    tss.ss1 = STACK + 1;
    tss.esp1 = 0x18;
    attempt("SS1 too small", call_gate, 3);
    tss.ss1 = SEL_DATA1;
    tss.esp1 = STACK_RING1;

    paging_init();
    paging_set(ARENA, 0);
    tss.esp1 = ARENA + 4096 + 8;
    attempt("page absent under ESP1", call_gate, 3);
    tss.esp1 = STACK_RING1;
    in = regs_ring3(call_gate);
    in.esp = ARENA + 0x2000;
    paging_set(ARENA + 0x2000, 0);
    set_gate(SEL_CODE1, target3, GATE3, 4);
    run(&in);
    printf("parameters on an absent page: %s cr2=%08x\n", vector_name(trap.vector), trap.cr2);
}
