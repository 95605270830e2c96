/* Limits in real-address mode: 64 KiB of data, stack and code, for branches and for sequential
 * execution; wrap-around of the stack pointer; PUSHA's own exception; the limit of the vector table
 * (SDM vol 3A, 5.3; vol 3B, 20.1; vol 2B, PUSHA; vol 2A, INT n). */
#include "guest.h"
#include "real.h"

CODE16(far_jump_high, "ljmpl $0x4000, $0x10000");
CODE16(iret_high, "pushfl; pushl $0x4000; pushl $0x12345; iretl");
CODE16(limit_read, "movw 0xffff, %ax");
CODE16(limit_read4, "movl 0xfffd, %eax");
CODE16(limit_top, "movw $0x5678, 0xfffe; movl 0xfffc, %eax");
CODE16(limit_32, "movl $0x10000, %ebx; movb (%ebx), %al");
CODE16(limit_ss, "movl $0xffff, %ebp; movw (%ebp), %ax");
CODE16(limit_write, "movl %eax, 0xfffe");
CODE16(limit_rmw, "addw %ax, %fs:0xffff");
CODE16(wrap_address, "movw $0xfff0, %bx; movw $0x30, %si; movw %ax, (%bx,%si); movw 0x20, %cx");
CODE16(string_wrap, "movw $0xfffe, %di; movw $2, %cx; movw $0xabcd, %ax; rep stosw");
CODE16(string_limit, "movw $0xffff, %si; lodsw");
CODE16(movs_limit, "movw $0x10, %si; movw $0xffff, %di; movsw");
CODE16(push_wrap, "movw $0, %sp; pushw %ax; movw %sp, %bx; popw %cx");
CODE16(push_wrap4, "movw $2, %sp; pushw %ax; pushw %cx; movw %sp, %bx; popw %dx; popw %si");
CODE16(push_two, "movw $2, %sp; pushl %eax");
CODE16(pop_odd, "movw $0xffff, %sp; popw %ax");
CODE16(pop_wrap, "movw $0x1357, %ss:0xfffe; movw $0x2468, %ss:0; movw $0xfffe, %sp; popw %ax; popw "
                 "%bx; movw %sp, %cx");
CODE16(pusha_wrap, "movw $8, %sp; pushaw; movw %sp, %bx");
CODE16(pusha_odd, "movw $7, %sp; pushaw");
CODE16(call_wrap, "movw $0, %sp; call 1f; 1: movw %sp, %bx; popw %cx");
CODE16(int_wrap, "movw $2, %sp; int $0xf0");
CODE16(enter_wrap, "movw $4, %sp; movl $0x10, %ebp; enterw $8, $1; movw %sp, %bx");
CODE16(nothing, "");
CODE16(ip_wrap, "incw %ax; incw %cx; incw %dx; incw %bx");
CODE16(jump_back, "jmp . - 0x7000");
CODE16(end_of_segment, ".byte 0xb8, 0x34, 0x12");
CODE16(halt_nop, "nop");

static void at(const char *label, const uint8_t *code, uint32_t bytes, uint16_t ip) {
    struct real in = real_code(code, bytes, ip);
    real_try(label, &in);
}

void guest_main(void) {
    REAL(far_jump_high);
    REAL(iret_high);
    printf("limits\n");
    REAL(limit_read);
    REAL(limit_read4);
    REAL(limit_top);
    REAL(limit_32);
    REAL(limit_ss);
    REAL(limit_write);
    REAL(limit_rmw);
    REAL(wrap_address);
    REAL(string_wrap);
    REAL(string_limit);
    REAL(movs_limit);
    printf("stack\n");
    REAL(push_wrap);
    REAL(push_wrap4);
    REAL(push_two);
    REAL(pop_odd);
    REAL(pop_wrap);
    REAL(pusha_wrap);
    REAL(pusha_odd);
    REAL(call_wrap);
    REAL(int_wrap);
    REAL(enter_wrap);
    printf("IP\n");
    /* Sequential execution beyond FFFFh is a limit fault, a branch wraps at 64 KiB. */
    at("runs off the end", ip_wrap, 4, 0xFFFC);
    at("instruction across the end", end_of_segment, 3, 0xFFFE);
    at("INT across the end", nothing, 2, 0xFFFF);
    at("ends with the segment", nothing, 2, 0xFFFE);
    real_code(ip_wrap, CODE16_SIZE(ip_wrap), 0x9003);
    at("branch below zero", jump_back, 3, 0x0000);
    printf("vector table\n");
    real_idt_limit = 0xF0 * 4 + 2;
    *(volatile uint8_t *)(REAL_CODE + 0x100) = 0;
    REAL(halt_nop);
    real_idt_limit = 0xF0 * 4 + 3;
    REAL(halt_nop);
}
