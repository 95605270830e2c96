/* Real-address mode: operand and address sizes, far transfers, the vector table and exceptions
 * without error codes, segments above 1 MiB, the instructions that do not exist there (SDM vol 3B,
 * 20.1; vol 3A, 9.9). */
#include "guest.h"
#include "real.h"

CODE16(compute, "movw $0x1234, %ax; movl $0x12345678, %ecx; xorw %dx, %dx; addl %ecx, %eax");
CODE16(smsw_pe, "smsw %ax; andw $1, %ax; movl %cr0, %ecx; andl $1, %ecx");
CODE16(stack16, "pushw %ax; popw %bx; pushl %ecx; popl %edx; pushw $-2; popw %ax");
CODE16(address32,
       "movl $0x100, %ebx; movl %eax, 4(%ebx); movl (%ebx, %ebx), %ecx; movw 0x104, %dx");
CODE16(near, "call 1f; jmp 2f; 1: popw %ax; pushw %ax; ret; 2: movw %ax, %cx");
CODE16(far_jump16, "ljmpw $0x3fff, $(1f - far_jump16 + 16); 1: movw %cs, %ax");
CODE16(far_jump32, "ljmpl $0x4000, $(1f - far_jump32); 1: movw %cs, %ax");
CODE16(far_call16, "lcallw $0x3ff0, $(1f - far_call16 + 256); jmp 2f; 1: movw %cs, %ax; lretw; 2:");
CODE16(far_call32, "lcalll $0x4000, $(1f - far_call32); jmp 2f; 1: movw %cs, %ax; lretl; 2:");
CODE16(far_mem, "movw $(1f - far_mem), 0x10; movw $0x4000, 0x12; ljmpw *0x10; ud2; 1: incw %ax");
CODE16(ret_imm, "pushw $7; pushw $8; call 1f; jmp 2f; 1: ret $4; 2: movw %sp, %ax");
CODE16(int30, "int $0x30");
CODE16(int_back, "movw $(1f - int_back), %fs:0; pushw %es; movw $0x3000, %ax; movw %ax, %es; "
                 "movw $(1f - int_back), %es:0xc4; movw $0x4000, %es:0xc6; popw %es; stc; "
                 "int $0x31; movw $1, %bx; jmp 2f; 1: pushfw; popw %cx; andw $0x301, %cx; iretw; "
                 "2: pushfw; popw %dx; andw $0x301, %dx");
CODE16(iretd, "pushfl; pushl $0x4000; pushl $(1f - iretd); iretl; ud2; 1: incw %ax");
CODE16(flags_all,
       "pushl $0x00257ed5; popfl; pushfl; popl %ecx; pushw $2; popfw; pushfl; popl %edx");
CODE16(div0, "xorw %cx, %cx; divw %cx");
CODE16(breakpoint, "int3");
CODE16(overflow, "movb $0x7f, %al; addb $1, %al; into");
CODE16(bound16, "movw $4, 0x20; movw $9, 0x22; movw $3, %ax; boundw %ax, 0x20");
CODE16(undefined, "ud2");
CODE16(load_seg, "movw $0xffff, %ax; movw %ax, %es; movb %es:0x10, %cl; movw %es:0xfffe, %dx");
CODE16(lgs, "movw $0x1234, 0x10; movw $0x7000, 0x12; lgsw 0x10, %si; movw %gs, %ax");
CODE16(pop_cs_ud, ".byte 0x8e, 0xc8");
CODE16(sldt_ud, "sldt %ax");
CODE16(str_ud, "strw %ax");
CODE16(lldt_ud, "lldt %ax");
CODE16(ltr_ud, "ltr %ax");
CODE16(verr_ud, "verr %ax");
CODE16(lar_ud, "larw %ax, %bx");
CODE16(lsl_ud, "lslw %ax, %bx");
CODE16(arpl_ud, "arpl %ax, %bx");
CODE16(sysenter_gp, "sysenter");
CODE16(sysexit_gp, "sysexit");
CODE16(tables, "sgdtl 0x30; sidtl 0x38; movw 0x30, %ax; movl 0x3a, %ecx; movw 0x38, %dx");
CODE16(lidt16,
       "movw $0x3ff, 0x40; movl $0xff030000, 0x42; lidtw 0x40; sidtl 0x48; movl 0x4a, %ecx");
CODE16(msr, "movl $0x174, %ecx; rdmsr");
CODE16(privileged, "clts; cli; sti; cli; invd; movl %cr0, %eax; movl %eax, %cr0; xorl %eax, %eax");
CODE16(tsc, "rdtsc; xorl %eax, %eax; xorl %edx, %edx; cpuid; xorl %eax, %eax; xorl %ebx, %ebx; "
            "xorl %ecx, %ecx; xorl %edx, %edx");
CODE16(lock_ud, "lock; movw %ax, %bx");

void guest_main(void) {
    REAL(compute);
    REAL(smsw_pe);
    REAL(stack16);
    REAL(address32);
    REAL(near);
    REAL(far_jump16);
    REAL(far_jump32);
    REAL(far_call16);
    REAL(far_call32);
    REAL(far_mem);
    REAL(ret_imm);
    REAL(int30);
    REAL(int_back);
    REAL(iretd);
    REAL(flags_all);
    REAL(div0);
    REAL(breakpoint);
    REAL(overflow);
    REAL(bound16);
    REAL(undefined);
    REAL(load_seg);
    REAL(lgs);
    REAL(pop_cs_ud);
    REAL(sldt_ud);
    REAL(str_ud);
    REAL(lldt_ud);
    REAL(ltr_ud);
    REAL(verr_ud);
    REAL(lar_ud);
    REAL(lsl_ud);
    REAL(arpl_ud);
    REAL(sysenter_gp);
    REAL(sysexit_gp);
    REAL(tables);
    REAL(lidt16);
    REAL(msr);
    REAL(privileged);
    REAL(tsc);
    REAL(lock_ud);
}
