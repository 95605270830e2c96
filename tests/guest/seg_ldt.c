/* LDT: selectors with TI set, switching LDTs, LDT limit, far transfers and gates through it, error
 * codes with TI (SDM vol 3A, 3.5.1). */
#include "guest.h"

CODE(load_fs, "movw %ax, %fs; movl %fs:0, %ecx");
CODE(far_call, "lcall *(%esi); nop");
CODE(target, "movl %cs, %eax; lretl");
CODE(gate_target, "movl %cs, %eax; movl %ss, %edx; lretl");

enum { DATA = 0x0F, CODE3 = 0x17, GATE = 0x1F, CODE0 = 0x20 | 4, OTHER_LDT = SEL_FREE };

static uint64_t second[4];

static void show(const char *name, const uint8_t *code, uint32_t selector) {
    struct regs in = regs_ring3(code);
    in.eax = selector;
    in.esi = ARENA + 0x100;
    ((volatile uint32_t *)in.esi)[0] = (uint32_t)target;
    ((volatile uint32_t *)in.esi)[1] = selector;
    run(&in);
    printf("%04x ", selector);
    report(name, &in);
}

void guest_main(void) {
    *(volatile uint32_t *)ARENA = 0x1111AAAA;
    *(volatile uint32_t *)(ARENA + 4096) = 0x2222BBBB;
    uint8_t user = ACCESS_P | ACCESS_DPL3;
    ldt[DATA >> 3] = descriptor(ARENA, 0xFFF, user | ACCESS_DATA_RW, FLAG_SEG_B);
    ldt[CODE3 >> 3] = descriptor(0, 0xFFFFF, user | ACCESS_CODE_R, FLAG_SEG_32_4K);
    ldt[CODE0 >> 3] = descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_32_4K);
    ldt[GATE >> 3] = gate(CODE0, (uint32_t)gate_target, user | ACCESS_CALL_GATE, 0);
    show("data", load_fs, DATA);
    printf("accessed %x\n", (uint32_t)(ldt[DATA >> 3] >> 40) & 0xFF);
    show("code", far_call, CODE3);
    show("call gate", far_call, GATE);
    show("ring-0 code", far_call, CODE0);
    show("empty slot", load_fs, 0x2F);
    show("TI with index 0", load_fs, 7);
    ldt[0] = ldt[DATA >> 3];
    show("TI with index 0, a descriptor", load_fs, 7);
    show("beyond the limit", load_fs, 0x87);
    ldt[5] = descriptor(ARENA, 0xFFF, ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_B);
    show("absent", load_fs, 0x2F);

    /* Another LDT: the same selector means another segment; a loaded one stays until reloaded. */
    second[DATA >> 3] = descriptor(ARENA + 4096, 0xFFF, user | ACCESS_DATA_RW, FLAG_SEG_B);
    gdt_set(OTHER_LDT, descriptor((uint32_t)second, sizeof second - 1, ACCESS_P | ACCESS_LDT, 0));
    uint32_t a, b, c;
    __asm__ volatile("movl %3, %%fs; movl %%fs:0, %0\n"
                     "lldt %w4; movl %%fs:0, %1\n"
                     "movl %3, %%fs; movl %%fs:0, %2"
                     : "=&r"(a), "=&r"(b), "=&r"(c)
                     : "r"(DATA), "r"(OTHER_LDT)
                     : "memory");
    printf("first %08x, kept %08x, second %08x\n", a, b, c);
    show("data of the second", load_fs, DATA);
    show("beyond the second's limit", load_fs, 0x27);
    __asm__ volatile("lldt %w0" : : "r"(0));
    show("no LDT", load_fs, DATA);
    __asm__ volatile("lldt %w0" : : "r"(SEL_LDT));
    show("first again", load_fs, DATA);

    /* Code and stack in the LDT, interrupted and returned to. */
    struct regs in = regs_ring3(target);
    in.cs = CODE3;
    ldt[6] = descriptor(0, 0xFFFFF, user | ACCESS_DATA_RW, FLAG_SEG_32_4K);
    in.ss = in.ds = in.es = 0x37;
    in.eip = (uint32_t)target;
    in.esp -= 8;
    ((volatile uint32_t *)in.esp)[0] = (uint32_t)gate_target;
    ((volatile uint32_t *)in.esp)[1] = CODE3;
    ((volatile uint32_t *)in.esp)[2] = (uint32_t)far_call + 2;
    ((volatile uint32_t *)in.esp)[3] = SEL_CODE3;
    run(&in);
    in.eip = trap.regs.eip;
    report("code, stack and data in the LDT", &in);
}
