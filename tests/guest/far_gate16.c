/* 16-bit call gates and interrupt gates: two-byte parameters and frames, the upper halves of ESP
 * and EIP, to 16- and 32-bit code, from 16- and 32-bit stacks, returns of both operand sizes, the
 * greatest count, a 16-bit TSS as the source of the inner stack
 * (SDM vol 3A, 5.8.3-5.8.6, 6.12.1, 21.4). */
#include "guest.h"

enum {
    GATE = SEL_FREE,
    CODE16_0 = SEL_FREE + 8,
    CODE16_3 = SEL_FREE + 16,
    STACK16_3 = SEL_FREE + 24,
    STACK16_0 = SEL_FREE + 32,
    TSS16 = SEL_FREE + 40,
    CODE32_0 = SEL_FREE + 56,
    CODE32_3 = SEL_FREE + 48, /* begins with the calling code: 16 bits hold its EIP */
    INNER = ARENA + 0x10000,  /* inner stacks, 64 KiB */
    OUTER = ARENA + 0x30000,
};

static struct {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs,
        ss, ds, ldt;
} tss16;

CODE(call3, "lcall $" TEXT(SEL_FREE) " + 3, $0");
CODE(call0, "lcall $" TEXT(SEL_FREE) ", $0");
CODE(jump0, "ljmp $" TEXT(SEL_FREE) ", $0");
CODE(by_int, "int $0x40");

/* The inner procedures: note the stack and return. */
extern const uint8_t code16[], code16_end[];
__asm__(".text\n"
        ".code16\n"
        "code16: int $0xf0\n"
        "code16_ret: lretw\n"
        "code16_ret4: lretw $4\n"
        "code16_iret: iretw\n"
        "code16_end: .code32\n");
extern const uint8_t code16_ret[], code16_ret4[], code16_iret[];

static void fill(void) {
    for (uint32_t i = 0; i < 0x10000; i += 2) {
        *(volatile uint16_t *)(INNER + i) = 0xEEEE;
        *(volatile uint16_t *)(OUTER + i) = (uint16_t)(i | 1);
    }
}

/* The frame that the inner procedure finds, in words from its SP up. */
static void frame(unsigned words) {
    uint32_t sp = trap.regs.esp;
    if (trap.regs.ss == STACK16_0)
        sp &= 0xFFFF;
    printf("  sp %x ss %04x:", trap.regs.esp & 0xFFFF, trap.regs.ss);
    for (unsigned i = 0; i < words; i++) {
        uint32_t at = trap.regs.ss == STACK16_0 ? INNER + ((sp + 2 * i) & 0xFFFF) : sp + 2 * i;
        printf(" %x", *(volatile uint16_t *)at);
    }
    printf("\n");
}

static void show(const char *name, struct regs in, unsigned words) {
    fill();
    run(&in);
    printf("%s: %s", name, trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
    if (trap.vector >= 10 && trap.vector <= 14)
        printf("(%04x)", trap.error);
    printf(" cs %04x eip %s%x esp%d\n", trap.regs.cs, trap.regs.eip - in.eip < 32 ? "+" : "",
           trap.regs.eip - in.eip < 32 ? trap.regs.eip - in.eip : trap.regs.eip,
           (int)(trap.regs.esp - in.esp));
    if (words)
        frame(words);
}

static struct regs outer(const uint8_t *code, bool stack16) {
    struct regs in = regs_ring3(0);
    gdt_set(CODE32_3,
            descriptor((uint32_t)code, 0xFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R, FLAG_SEG_B));
    in.cs = CODE32_3 | 3;
    in.ss = stack16 ? STACK16_3 | 3 : SEL_DATA3;
    in.esp = stack16 ? 0x8000 : OUTER + 0x8000;
    return in;
}

static struct regs inner(const uint8_t *code) {
    struct regs in = regs_ring0(0);
    gdt_set(CODE32_0, descriptor((uint32_t)code, 0xFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_B));
    in.cs = CODE32_0;
    return in;
}

static void set_gate(uint16_t code, uint32_t offset, uint8_t count) {
    gdt_set(GATE, gate(code, offset, ACCESS_P | ACCESS_DPL3 | ACCESS_CALL_GATE16, count));
}

void guest_main(void) {
    uint32_t esp0 = tss.esp0;
    gdt_set(CODE16_0, descriptor((uint32_t)code16, 0xFFF, ACCESS_P | ACCESS_CODE_R, 0));
    gdt_set(CODE16_3,
            descriptor((uint32_t)code16, 0xFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R, 0));
    gdt_set(STACK16_3, descriptor(OUTER, 0xFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, 0));
    gdt_set(STACK16_0, descriptor(INNER, 0xFFFF, ACCESS_P | ACCESS_DATA_RW, 0));

    for (int stack16 = 0; stack16 < 2; stack16++) {
        printf("outer stack of %d bits\n", stack16 ? 16 : 32);
        tss.esp0 = INNER + 0x8000;
        set_gate(CODE16_0, 0, 0);
        show("no parameters", outer(call3, stack16), 6);
        set_gate(CODE16_0, 0, 3);
        show("three", outer(call3, stack16), 9);
        set_gate(CODE16_0, 0, 31);
        show("31", outer(call3, stack16), 36);
        set_gate(CODE16_0, 0, 32);
        show("count 32 is 0", outer(call3, stack16), 5);
        set_gate(CODE16_0, 0xABCD0000, 1);
        show("upper half of the offset", outer(call3, stack16), 6);
        set_gate(CODE16_0, (uint32_t)(code16_ret - code16), 0);
        show("RET", outer(call3, stack16), 0);
        set_gate(CODE16_0, (uint32_t)(code16_ret4 - code16), 2);
        show("RET 4", outer(call3, stack16), 0);
        set_gate(CODE16_0, 0x1000, 0);
        show("beyond the limit", outer(call3, stack16), 0);
        set_gate(CODE16_3, 0, 2);
        show("same level", outer(call3, stack16), 0);
        if (stack16)
            break; /* the upper half of ESP would be in the handler's way */
        printf("inner stack of 16 bits\n");
        tss.ss0 = STACK16_0;
        /* the handler of INT F0 needs a flat stack; the frame is looked at from outside */
        tss.esp0 = 0x8000;
        struct regs in = outer(call3, stack16);
        fill();
        set_gate(CODE16_0, (uint32_t)(code16_ret4 - code16), 2);
        run(&in);
        printf("RET 4: vector %x cs %04x esp%d ss %04x, left:", trap.vector, trap.regs.cs,
               (int)((trap.regs.esp & 0xFFFF) - (in.esp & 0xFFFF)), trap.regs.ss);
        tss.ss0 = SEL_DATA0;
        tss.esp0 = esp0;
        for (uint32_t i = 0x7FE0; i < 0x8002; i += 2)
            printf(" %x", *(volatile uint16_t *)(INNER + i));
        printf("\n");
    }

    printf("level 0\n");
    struct regs in = inner(call0);
    set_gate(CODE16_0, 0, 3);
    in.esp = INNER + 0x8000;
    show("CALL, nothing copied", in, 3);
    in = inner(jump0);
    in.esp = INNER + 0x8000;
    show("JMP", in, 1);
    set_gate(SEL_CODE3 & ~3, 0, 0);
    show("JMP to level 3", in, 0);

    printf("interrupt gates of 16 bits\n");
    tss.esp0 = INNER + 0x8000;
    idt[0x40] = gate(CODE16_0, 0xABCD0000, ACCESS_P | ACCESS_DPL3 | 6, 0);
    struct regs user = outer(by_int, false);
    user.eflags |= FLAG_IF;
    show("interrupt gate from level 3", user, 6);
    idt[0x40] = gate(CODE16_0, 0, ACCESS_P | ACCESS_DPL3 | 7, 0);
    show("trap gate from level 3", user, 5);
    printf("  IF %d\n", !!(trap.regs.eflags & FLAG_IF));
    in = inner(by_int);
    in.esp = INNER + 0x8000;
    show("trap gate at level 0", in, 4);
    uint64_t gp = idt[13];
    idt[13] = gate(CODE16_0, 0, ACCESS_P | 6, 0);
    idt[0x40] = 0;
    show("#GP with its error code", user, 7);
    idt[13] = gp;

    printf("16-bit TSS\n");
    tss16.sp0 = 0x8000;
    tss16.ss0 = STACK16_0;
    gdt_set(STACK16_0, descriptor(INNER, 0xFFFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    gdt_set(TSS16, descriptor((uint32_t)&tss16, 0x2B, ACCESS_P | 1, 0));
    __asm__ volatile("ltr %w0" : : "r"(TSS16) : "memory");
    set_gate(CODE16_0, (uint32_t)(code16_ret4 - code16), 2);
    fill();
    user = outer(call3, false);
    run(&user);
    printf("vector %x cs %04x esp%d, left:", trap.vector, trap.regs.cs,
           (int)(trap.regs.esp - user.esp));
    for (uint32_t i = 0x7FE0; i < 0x8002; i += 2)
        printf(" %x", *(volatile uint16_t *)(INNER + i));
    printf("\n");
}
