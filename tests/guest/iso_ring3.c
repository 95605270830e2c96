/* What ring 3 must not get: the host's system calls by any instruction, interrupts without gates,
 * 64-bit code by a descriptor, privileged state (SDM vol 2). A 32-bit processor knows no L bit. */
#include "guest.h"

CODE(syscall_insn, "movl $1, %eax; syscall");
CODE(sysret_insn, "sysret");
CODE(int80, "movl $1, %eax; xorl %ebx, %ebx; int $0x80");
CODE(int2e, "int $0x2e");
CODE(int_0, "int $0");
CODE(int_8, "int $8");
CODE(int_14, "int $14");
CODE(vmcall_insn, ".byte 0x0f, 0x01, 0xc1");
CODE(vmmcall_insn, ".byte 0x0f, 0x01, 0xd9");
CODE(swapgs_insn, ".byte 0x0f, 0x01, 0xf8");
CODE(rdfsbase, ".byte 0xf3, 0x0f, 0xae, 0xc0");
CODE(wrgsbase, ".byte 0xf3, 0x0f, 0xae, 0xd8");
CODE(rdpkru, ".byte 0x0f, 0x01, 0xee");
CODE(xgetbv_insn, ".byte 0x0f, 0x01, 0xd0");
CODE(xsetbv_insn, ".byte 0x0f, 0x01, 0xd1");
CODE(rsm_insn, "rsm");
CODE(getsec, ".byte 0x0f, 0x37");
CODE(clac_insn, ".byte 0x0f, 0x01, 0xca");
CODE(rex_is_inc, ".byte 0x48, 0x90, 0x41, 0x90"); /* DEC EAX; INC ECX */
CODE(host_cs, "ljmp $0x33, $1f; 1: .byte 0x48; nop");
CODE(host_cs_call, "lcall $0x33, $0x1000");
CODE(host_cs_ret, "pushl $0x33; pushl $0x1000; lretl");
CODE(host_cs_iret, "pushfl; pushl $0x33; pushl $0x1000; iretl");
CODE(host_ss, "movl $0x2b, %eax; movl %eax, %ss");
CODE(mov_cr8, ".byte 0xf0, 0x0f, 0x20, 0xc0");
CODE(long_code,
     "movl $" TEXT(
         SEL_FREE) " + 3, 4(%esi); movl $1f, (%esi); ljmpl *(%esi); 1: decl %eax; movl $5, %ecx");

void guest_main(void) {
    RING3(syscall_insn);
    RING0(syscall_insn);
    RING3(sysret_insn);
    RING0(sysret_insn);
    RING3(int80);
    RING3(int2e);
    RING3(int_0);
    RING3(int_8);
    RING3(int_14);
    idt[0x80] = 0;
    RING3(int80);
    RING0(int80);
    RING3(vmcall_insn);
    RING0(vmcall_insn);
    RING3(vmmcall_insn);
    RING0(vmmcall_insn);
    RING3(swapgs_insn);
    RING0(swapgs_insn);
    RING3(rdfsbase);
    RING3(wrgsbase);
    RING3(rdpkru);
    RING3(xgetbv_insn);
    RING0(xsetbv_insn);
    RING3(xsetbv_insn);
    RING0(rsm_insn);
    RING3(rsm_insn);
    RING0(getsec);
    RING3(clac_insn);
    RING3(rex_is_inc);
    RING0(rex_is_inc);
    RING3(mov_cr8);
    /* Selectors that mean something to a 64-bit host mean what the guest's table says. */
    RING3(host_cs);
    RING3(host_cs_call);
    RING3(host_cs_ret);
    RING3(host_cs_iret);
    RING3(host_ss);
    /* L set: reserved on this processor, so a plain 32-bit segment. */
    gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R,
                                 FLAG_SEG_32_4K | FLAG_SEG_L));
    struct regs in = regs_ring3(long_code);
    in.esi = ARENA;
    run(&in);
    report("segment with L and D", &in);
}
