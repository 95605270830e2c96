/* Double faults: which second exceptions make #DF and which are delivered (SDM vol 3A, 6.15, vector
 * 8, table 6-5). The first exception's gate is made unusable, so that its delivery raises the
 * second. */
#include "guest.h"

CODE(divide, "xorl %ebx, %ebx; divl %ebx");
CODE(general, "nop; movw %ax, %ds");
CODE(invalid, "ud2");
CODE(page, "movl (%esi), %eax");
CODE(not_present, "movw %cx, %ds");
CODE(breakpoint, "int3");
CODE(soft, "int $0x30");

enum { MISSING = ARENA + 0x5000 };

static void attempt(const char *name, const uint8_t *code, unsigned vector, uint64_t bad_gate) {
    uint64_t saved = idt[vector];
    for (int ring = 0; ring <= 3; ring += 3) {
        struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
        in.eax = 0xFFF8;
        in.ecx = SEL_FREE;
        in.esi = MISSING;
        idt[vector] = bad_gate;
        run(&in);
        idt[vector] = saved;
        printf("ring%d ", ring);
        report(name, &in);
    }
}

void guest_main(void) {
    uint64_t absent = gate(SEL_CODE0, 0, ACCESS_DPL3 | ACCESS_INT_GATE, 0);
    uint64_t null_code = gate(0, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_INT_GATE, 0);
    uint64_t data_code = gate(SEL_DATA0, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_INT_GATE, 0);
    uint64_t bad_type = gate(SEL_CODE0, 0, ACCESS_P | ACCESS_DPL3 | ACCESS_CALL_GATE, 0);

    gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    paging_init();
    paging_set(MISSING, 0);

    attempt("#DE, gate absent", divide, 0, absent);
    attempt("#DE, gate selector null", divide, 0, null_code);
    attempt("#DE, gate to data", divide, 0, data_code);
    attempt("#DE, gate of bad type", divide, 0, bad_type);
    attempt("#GP, gate absent", general, 13, absent);
    attempt("#GP, gate to data", general, 13, data_code);
    attempt("#NP, gate to data", not_present, 11, data_code);
    attempt("#PF, gate absent", page, 14, absent);
    attempt("#PF, gate selector null", page, 14, null_code);
    attempt("#UD, gate absent (benign first)", invalid, 6, absent);
    attempt("#UD, gate to data (benign first)", invalid, 6, data_code);
    attempt("#BP, gate absent (software)", breakpoint, 3, absent);
    attempt("INT 30, gate absent (software)", soft, 0x30, absent);
    attempt("INT 30, gate to data (software)", soft, 0x30, data_code);

    /* Gates to ring 1, whose stack is bad: the exception of the delivery itself goes to ring 0. */
    uint64_t ring1 =
        gate(SEL_CODE1, (uint32_t)divide, ACCESS_P | ACCESS_DPL3 | ACCESS_TRAP_GATE, 0);
    tss.ss1 = 0;
    attempt("#UD, SS1 null", invalid, 6, ring1);
    attempt("#DE, SS1 null", divide, 0, ring1);
    attempt("INT 30, SS1 null (software)", soft, 0x30, ring1);
    tss.ss1 = SEL_FREE | 1;
    gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_DPL1 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    attempt("#UD, SS1 absent", invalid, 6, ring1);
    attempt("#DE, SS1 absent", divide, 0, ring1);
    tss.ss1 = SEL_DATA1;
    tss.esp1 = MISSING + 4096;
    attempt("#UD, page fault on the stack", invalid, 6, ring1);
    attempt("#DE, page fault on the stack", divide, 0, ring1);
    attempt("#PF, page fault on the stack", page, 14, ring1);
    attempt("INT 30, page fault on the stack", soft, 0x30, ring1);
    tss.esp1 = STACK_RING1;
}
