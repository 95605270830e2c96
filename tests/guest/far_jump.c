/* Far JMP, CALL and RET to code segments: every access byte by CPL, RPL and DPL, conforming code,
 * operand sizes, offsets beyond the limit, selectors that cannot be (SDM vol 3A, 5.8.1).
 *
 * One character per access byte: . transferred, a transferred and accessed bit set, G
 * #GP(selector), N #NP(selector), ? anything else. JMP and CALL through present gates and TSSs have
 * tests of their own: -. */
#include "guest.h"

CODE(far_jmp, "ljmpl *(%esi)");
CODE(far_call, "lcall *(%esi)");
CODE(far_ret, "pushl 4(%esi); pushl (%esi); lretl");
CODE(far_iret, "pushl %ebp; pushl 4(%esi); pushl (%esi); iretl");
CODE(far_jmp16, "ljmpw *(%esi)");
CODE(far_call16, "lcallw *(%esi)");
CODE(far_ret16, "pushw 4(%esi); pushw (%esi); lretw");
CODE(far_ret_imm, "pushl 4(%esi); pushl (%esi); lretl $8");
CODE(landing, "nop");
CODE(call_and_back, "lcall *(%esi); nop; nop");
CODE(far_back, "movl (%esp), %ebx; movl 4(%esp), %edx; movl %cs, %eax; lretl $4");
CODE(direct_jmp, "ljmp $0x08, $1f; 1: movl %cs, %eax");
CODE(direct_call, "lcall $0x08, $1f; jmp 2f; 1: lretl; 2: movl %cs, %eax");
CODE(direct_call3, "lcall $0x1b, $1f; jmp 2f; 1: lretl; 2: movl %cs, %eax");

enum { LOW_CODE = 0x8000 };

static volatile uint32_t *const pointer = (volatile uint32_t *)ARENA;

static struct regs prepare(const uint8_t *code, int ring, uint32_t selector, uint32_t offset) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    pointer[0] = offset;
    pointer[1] = selector;
    in.esi = ARENA;
    in.ebp = 2;
    return in;
}

static void matrix(const char *name, const uint8_t *code, int ring, int rpl) {
    for (unsigned access = 0; access < 256; access++) {
        if (access % 64 == 0)
            printf("%s cpl%d rpl%d %02x ", name, ring, rpl, access);
        unsigned type = access & 0x1F;
        bool gate_or_tss = type == 1 || type == 3 || type == 4 || type == 5 || type == 9 ||
                           type == 11 || type == 12;
        if (gate_or_tss && (access & ACCESS_P) && (code == far_jmp || code == far_call)) {
            serial_putc('-');
        } else {
            struct regs in = prepare(code, ring, (uint32_t)(SEL_FREE | rpl), (uint32_t)landing);
            gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, (uint8_t)access, FLAG_SEG_32_4K));
            run(&in);
            char c = '?';
            uint8_t after = gdt_access(SEL_FREE);
            if (trap.vector == VECTOR_END && trap.regs.cs == (uint32_t)(SEL_FREE | ring))
                c = after == access ? '.' : after == (access | 1) ? 'a' : '?';
            else if (trap.error == SEL_FREE && trap.vector == 13 && after == access)
                c = 'G';
            else if (trap.error == SEL_FREE && trap.vector == 11 && after == access)
                c = 'N';
            serial_putc(c);
        }
        if (access % 64 == 63)
            printf("\n");
    }
}

static void one(const char *name, const uint8_t *code, int ring, uint32_t selector,
                uint32_t offset) {
    struct regs in = prepare(code, ring, selector, offset);
    run(&in);
    if (trap.vector == VECTOR_END)
        in.eip = trap.regs.eip;
    printf("cpl%d %04x ", ring, selector);
    in.esi = trap.regs.esi;
    report(name, &in);
}

#define ONE(code, ring, selector, offset) one(#code, code, ring, selector, offset)

void guest_main(void) {
    static const struct {
        const char *name;
        const uint8_t *code;
    } forms[] = {{"jmp", far_jmp}, {"call", far_call}, {"ret", far_ret}, {"iret", far_iret}};
    for (int f = 0; f < 4; f++) {
        bool back = f >= 2; /* RET and IRET judge by RPL; RPL 3 in ring 0 would need a stack */
        matrix(forms[f].name, forms[f].code, 0, 0);
        if (!back)
            matrix(forms[f].name, forms[f].code, 0, 3);
        matrix(forms[f].name, forms[f].code, 3, 3);
        if (!back)
            matrix(forms[f].name, forms[f].code, 3, 0);
    }

    uint32_t offset = (uint32_t)landing;
    static const uint16_t selectors[] = {0, 3,      SEL_DATA0, GDT_SLOTS * 8,
                                         4, 0xFFF8, SEL_CODE0, SEL_CODE3};
    for (unsigned i = 0; i < sizeof selectors / sizeof selectors[0]; i++) {
        for (int ring = 0; ring <= 3; ring += 3) {
            ONE(far_jmp, ring, selectors[i], offset);
            ONE(far_call, ring, selectors[i], offset);
            if (ring || (selectors[i] & 3) == 0) {
                ONE(far_ret, ring, selectors[i], offset);
                ONE(far_ret_imm, ring, selectors[i], offset);
                ONE(far_iret, ring, selectors[i], offset);
            }
        }
    }
    RING0(direct_jmp);
    RING0(direct_call);
    RING3(direct_call3);
    gdt_set(SEL_FREE,
            descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R, FLAG_SEG_32_4K));
    struct regs in = prepare(call_and_back, 3, SEL_FREE, (uint32_t)far_back);
    run(&in);
    trap.regs.ebx -= (uint32_t)call_and_back; /* the return address */
    report("call and return", &in);

    /* 16-bit operands: an offset of 16 bits into a segment that begins near the code. */
    gdt_set(SEL_FREE,
            descriptor((uint32_t)landing & ~0xFu, 0xFFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_B));
    uint32_t small = ((uint32_t)landing & 0xF) | (uint32_t)SEL_FREE << 16;
    static const struct {
        const char *name;
        const uint8_t *code;
    } sixteen[] = {{"jmp16", far_jmp16}, {"call16", far_call16}, {"ret16", far_ret16}};
    for (int i = 0; i < 3; i++) {
        in = prepare(sixteen[i].code, 0, SEL_FREE, small);
        run(&in);
        printf("eip %x ", trap.regs.eip - ((uint32_t)landing & 0xF));
        in.eip = trap.regs.eip;
        report(sixteen[i].name, &in);
    }

    /* The target offset must be within the limit: #GP(0), nothing pushed. INT 0F0h is there. */
    *(volatile uint16_t *)LOW_CODE = 0xF0CD;
    gdt_set(SEL_FREE, descriptor(0, 0x7FFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_B));
    ONE(far_jmp, 0, SEL_FREE, LOW_CODE);
    ONE(far_call, 0, SEL_FREE, LOW_CODE);
    ONE(far_ret, 0, SEL_FREE, LOW_CODE);
    ONE(far_iret, 0, SEL_FREE, LOW_CODE);
}
