/* 64 KiB wrap-around in 16-bit protected mode and of 16-bit stacks under 32-bit code: SP in pushes,
 * pops, near and far calls and returns, PUSHA, ENTER, interrupt frames through gates of both sizes,
 * IRET; IP of sequential code and of branches; accesses that straddle the limit
 * (SDM vol 3A, 3.4.5, 5.3, 6.12; vol 1, 6.2.3). */
#include "guest.h"

enum {
    CODE16_SEL = SEL_FREE,
    STACK16 = SEL_FREE + 8,
    DATA16 = SEL_FREE + 16,
    CODE16_AT = ARENA,
    STACK_AT = ARENA + 0x10000,
    DATA_AT = ARENA + 0x20000,
};

#define CODE16(name, text)                                                                         \
    extern const uint8_t name[], name##_end[];                                                     \
    __asm__(".text\n.code16\n" #name ":\n" text "\nint $0xf0\n" #name "_end:\n.code32\n")

CODE16(push2, "pushw %ax; popw %bx");
CODE16(push4, "pushl %eax; popl %ebx");
CODE16(pusha2, "pushaw; popaw");
CODE16(pusha4, "pushal; popal");
CODE16(near2, "call 1f; 1: popw %bx");
CODE16(near4, "calll 1f; 1: popl %ebx");
CODE16(far2, "lcallw $0x4b, $(1f - far2); 1: popw %bx; popw %cx");
CODE16(far4, "lcalll $0x4b, $(1f - far4); 1: popl %ebx; popl %ecx");
CODE16(ret2, "pushw $(1f - ret2); ret; ud2; 1:");
CODE16(lret2, "pushw $0x4b; pushw $(1f - lret2); lretw; ud2; 1:");
CODE16(lret4, "pushl $0x4b; pushl $(1f - lret4); lretl; ud2; 1:");
CODE16(iret2, "pushfw; pushw $0x4b; pushw $(1f - iret2); iretw; ud2; 1:");
CODE16(iret4, "pushfl; pushl $0x4b; pushl $(1f - iret4); iretl; ud2; 1:");
CODE16(enter2, "movl $0x10, %ebp; enterw $6, $2; leavew");
CODE16(ret_imm, "pushw $(1f - ret_imm); ret $8; ud2; 1:");
CODE16(incs, "incw %ax; incw %cx; incw %dx; incw %bx");
CODE16(branch, "jmp . + 0x40");
CODE16(branch_back, "jmp . - 0x40");
CODE16(call_on, "call . + 0x40");
CODE16(jump32, "movl $0x00010005, %ebx; jmpl *%ebx");
CODE16(ret32, "pushl $0x00010005; retl");
CODE16(loop_back, "movw $2, %cx; loop . - 0x40");
CODE16(indirect, "movw $(1f - indirect), %bx; addw %cs:0xfff0, %bx; jmp *%bx; 1:");
CODE16(near_top, "movw (%si), %bx");
CODE16(near_top4, "movl (%si), %ebx");
CODE16(sum_wraps, "movw $0xfff0, %bx; movw $0x30, %si; movw (%bx,%si), %cx");
CODE16(disp_wraps, "movw $0xfff0, %bx; movw 0x30(%bx), %cx");
CODE16(bp_wraps, "movw $0xfff0, %bp; movw 0x30(%bp), %cx");
CODE16(write_top, "movl %eax, (%si)");
CODE16(string_top, "movw $2, %cx; rep lodsl");
/* 32-bit code on a 16-bit stack: SP wraps, ESP's upper half stays. */
CODE(c32_push, "pushl %eax; popl %ebx; movl %esp, %ecx");
CODE(c32_call, "call 1f; 1: popl %ebx; subl $1b, %ebx; movl %esp, %ecx");
CODE(c32_pusha, "pushal; movl %esp, %ecx; popal");
CODE(c32_enter, "enter $8, $0; movl %esp, %ecx; leave");
CODE(c32_sp_relative, "pushl %eax; movl (%esp), %ebx; popl %eax");

static void place(const uint8_t *code, const uint8_t *end, uint32_t at) {
    for (uint32_t i = 0; i < (uint32_t)(end - code); i++)
        *(volatile uint8_t *)(CODE16_AT + (uint16_t)(at + i)) = code[i];
}

static struct regs regs16(uint32_t eip, uint32_t esp) {
    struct regs in = regs_ring3(0);
    in.eip = eip;
    in.cs = CODE16_SEL | 3;
    in.ss = STACK16 | 3;
    in.ds = in.es = DATA16 | 3;
    in.esp = esp;
    in.ebp = 0x66666666;
    return in;
}

static void stack(const char *name, const uint8_t *code, const uint8_t *end, uint32_t esp) {
    place(code, end, 0);
    struct regs in = regs16(0, esp);
    printf("sp %04x ", esp);
    run(&in);
    /* IRET to a 16-bit stack loads SP only */
    trap.regs.esp = (trap.regs.esp & 0xFFFF) | (in.esp & 0xFFFF0000);
    report(name, &in);
}

#define STACK(name, sp) stack(#name, name, name##_end, sp)

static void at(const char *name, const uint8_t *code, const uint8_t *end, uint32_t eip) {
    place(code, end, eip);
    struct regs in = regs16(eip, 0x8000);
    printf("ip %04x ", eip);
    run(&in);
    /* IRET to a 16-bit stack loads SP only */
    trap.regs.esp = (trap.regs.esp & 0xFFFF) | (in.esp & 0xFFFF0000);
    report(name, &in);
}

#define AT(name, ip) at(#name, name, name##_end, ip)

static void data(const char *name, const uint8_t *code, const uint8_t *end, uint32_t esi) {
    place(code, end, 0);
    struct regs in = regs16(0, 0x8000);
    in.esi = esi;
    printf("si %04x ", esi);
    run(&in);
    /* IRET to a 16-bit stack loads SP only */
    trap.regs.esp = (trap.regs.esp & 0xFFFF) | (in.esp & 0xFFFF0000);
    report(name, &in);
}

#define DATA(name, si) data(#name, name, name##_end, si)

static void flat(const char *name, const uint8_t *code, uint32_t esp) {
    struct regs in = regs_ring3(code);
    in.ss = STACK16 | 3;
    in.esp = esp;
    run(&in);
    printf("%s esp %08x: %s eip+%d ebx %08x cx %04x\n", name, esp,
           trap.vector == VECTOR_END ? "end" : vector_name(trap.vector), trap.regs.eip - in.eip,
           trap.regs.ebx, trap.regs.ecx & 0xFFFF);
}

void guest_main(void) {
    gdt_set(CODE16_SEL, descriptor(CODE16_AT, 0xFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R, 0));
    gdt_set(STACK16, descriptor(STACK_AT, 0xFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, 0));
    gdt_set(DATA16, descriptor(DATA_AT, 0xFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, 0));
    for (uint32_t i = 0; i < 0x10000; i += 4)
        *(volatile uint32_t *)(DATA_AT + i) = 0xD0000000 + i;
    *(volatile uint16_t *)(CODE16_AT + 0xFFF0) = 0;

    for (uint32_t sp = 0; sp <= 4; sp += 2) {
        STACK(push2, sp);
        STACK(push4, sp);
        STACK(near2, sp);
        STACK(near4, sp);
        STACK(far2, sp);
        STACK(far4, sp);
        STACK(ret2, sp);
        STACK(lret2, sp);
        STACK(lret4, sp);
        STACK(iret2, sp);
        STACK(iret4, sp);
        STACK(enter2, sp);
        STACK(ret_imm, sp);
    }
    STACK(pusha2, 0x0008);
    STACK(pusha4, 0x0010);
    STACK(pusha4, 0x0000);
    STACK(ret_imm, 0xFFFE);

    AT(incs, 0xFFFC);
    AT(incs, 0xFFF9);
    place(incs, incs_end, 0x3F);
    AT(branch, 0xFFFE);
    place(incs, incs_end, 0x20);
    AT(branch, 0xFFE0);
    place(incs, incs_end, 0xFFD0);
    AT(branch_back, 0x0010);
    place(incs, incs_end, 0x30);
    AT(call_on, 0xFFF0);
    AT(jump32, 0x0100);
    AT(ret32, 0x0100);
    place(incs, incs_end, 0xFFD3);
    AT(loop_back, 0x0010);
    *(volatile uint16_t *)(CODE16_AT + 0xFFF0) = 0x4000;
    AT(indirect, 0x4000);

    DATA(near_top, 0xFFFE);
    DATA(near_top, 0xFFFF);
    DATA(near_top4, 0xFFFC);
    DATA(near_top4, 0xFFFD);
    DATA(sum_wraps, 0);
    DATA(disp_wraps, 0);
    *(volatile uint16_t *)(STACK_AT + 0x20) = 0x5A5A;
    DATA(bp_wraps, 0);
    DATA(write_top, 0xFFFE);
    DATA(string_top, 0xFFFC);

    for (uint32_t esp = 0x12340000; esp <= 0x1234000C; esp += 4) {
        flat("push", c32_push, esp);
        flat("call", c32_call, esp);
        flat("pusha", c32_pusha, esp);
        flat("enter", c32_enter, esp);
        flat("through ESP", c32_sp_relative, esp & 0xFFFF);
    }
}
