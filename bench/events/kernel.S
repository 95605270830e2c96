/* Events of a guest's kernel, ring 0, and its handlers. */
#include "snippet.h"

        .text

BEGIN(kernel_nothing)
END

BEGIN(kernel_in)
        inb $0x80, %al
END

/* EBX = CR3. */
BEGIN(kernel_cr3)
        movl %ebx, %cr3
END

/* EBX = CR0 with TS. */
BEGIN(kernel_ts)
        movl %ebx, %cr0
        clts
END

/* EBX, EDI = CR4 without and with PGE. */
BEGIN(kernel_pge)
        movl %ebx, %cr4
        movl %edi, %cr4
END

BEGIN(kernel_call)
        call kernel_leaf
END
kernel_leaf:
        ret

/* EBX = kernel_jump_target. */
BEGIN(kernel_jump)
        jmp *%ebx
        .globl kernel_jump_target
kernel_jump_target:
END

BEGIN(kernel_int)
        int $0x80
END

BEGIN(kernel_iret)
        pushfl
        pushl %cs
        pushl $1f
        iretl
1:
END

BEGIN(kernel_sti)
        sti
        cli
END

BEGIN(kernel_pushf)
        pushfl
        popfl
END

BEGIN(kernel_rdtsc)
        rdtsc
END

BEGIN(kernel_cpuid)
        xorl %eax, %eax
        cpuid
END

/* EBX = a data selector. */
BEGIN(kernel_segment)
        movw %bx, %es
END

/* EBX = an address. */
BEGIN(kernel_load)
        movl (%ebx), %eax
END

/* EBX = a page-table entry, ECX = what changes in it. */
BEGIN(kernel_pte)
        xorl %ecx, (%ebx)
END

/* EDI = an address. */
BEGIN(kernel_invlpg)
        invlpg (%edi)
END

/* EBX = a page-table entry, ECX = what changes in it, EDI = the address it maps. */
BEGIN(kernel_pte_invlpg)
        xorl %ecx, (%ebx)
        invlpg (%edi)
END

BEGIN(kernel_pte_use)
        xorl %ecx, (%ebx)
        invlpg (%edi)
        movl (%edi), %eax
END

/* EBX, EDI = CR3 of two address spaces, EDX = the other stack. */
BEGIN(kernel_switch)
        xchgl %esp, %edx
        movl %ebx, %cr3
        xchgl %ebx, %edi
END

/* A transmitter interrupt of COM1: enabling it while the transmitter is empty raises it at once.
 * The handler reads IIR, which takes it back, and ends the interrupt at the PIC.
 * In: EDI = 0. */
BEGIN(kernel_interrupt)
        movl $0x3f9, %edx
        movb $2, %al
        outb %al, %dx
        sti
1:      testl %edi, %edi
        jz 1b
        cli
        xorl %edi, %edi
        xorl %eax, %eax
        outb %al, %dx
END

/* The same port accesses with interrupts off. */
BEGIN(kernel_interrupt_ports)
        movl $0x3f9, %edx
        movb $2, %al
        outb %al, %dx
        movl $0x3fa, %edx
        inb %dx, %al
        movb $0x20, %al
        outb %al, $0x20
        movl $0x3f9, %edx
        xorl %eax, %eax
        outb %al, %dx
END

        .balign 64
        .globl handle_return, handle_skip_error, handle_skip, handle_demand, handle_forget
        .globl handle_sysenter, handle_transmitter, demand_entry
handle_return:
        iretl

handle_sysenter:
        sysexit

/* Page fault: error code, EIP, ... */
handle_skip_error:
        addl $2, 4(%esp)
        addl $4, %esp
        iretl

handle_skip:
        addl $2, (%esp)
        iretl

/* Makes the faulting page present; the real thing would find out where it comes from. */
handle_demand:
        pushl %eax
        movl %cr2, %eax
        movl demand_entry, %eax
        orl $1, (%eax)
        popl %eax
        addl $4, %esp
        iretl

handle_forget:
        pushl %eax
        movl demand_entry, %eax
        andl $~1, (%eax)
        invlpg (%ebx)
        popl %eax
        iretl

handle_transmitter:
        pushl %eax
        pushl %edx
        movl $0x3fa, %edx
        inb %dx, %al
        movb $0x20, %al
        outb %al, $0x20
        movl $1, %edi
        popl %edx
        popl %eax
        iretl

        .bss
        .balign 4
demand_entry: /* address of the page-table entry that handle_demand and handle_forget change */
        .skip 4
        .section .note.GNU-stack, "", @progbits
