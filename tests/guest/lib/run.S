/* The 256 exception entries and run() (run.h). The stack at trap_common is struct trap_frame.
 *
 * SS need not be flat at entry (a snippet may run in ring 0 on any stack), so the frame is copied
 * out through SS before the stack is left. */

#define R_EDI 0
#define R_ESI 4
#define R_EBP 8
#define R_EBX 12
#define R_EDX 16
#define R_ECX 20
#define R_EAX 24
#define R_ESP 28 /* ESP and SS form one far pointer for LSS */
#define R_SS 32
#define R_GS 36
#define R_FS 40
#define R_ES 44
#define R_DS 48
#define R_EIP 52
#define R_CS 56
#define R_EFLAGS 60

#define F_VECTOR 48
#define F_CS 60
#define F_EFLAGS 64

        .text
        .altmacro
        .macro stub vector
stub_\vector:
        .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17)
        .else
        pushl $0
        .endif
        pushl $\vector
        jmp trap_common
        .endm
        .set n, 0
        .rept 256
        stub %n
        .set n, n + 1
        .endr

trap_common:
        pushal
        pushl %ds
        pushl %es
        pushl %fs
        pushl %gs
        cld
        movw $0x10, %ax
        movw %ax, %ds
        movw %ax, %es
        movl %ss:F_VECTOR(%esp), %ebx
        movl trap_handlers(, %ebx, 4), %eax
        testl %eax, %eax
        jz trap_unwind
        pushl %esp
        call *%eax
        addl $4, %esp
        popl %gs
        popl %fs
        popl %es
        popl %ds
        popal
        addl $8, %esp
        iretl

trap_unwind:
        /* 17 doublewords from the same ring, 19 from another, 23 from virtual-8086 mode. */
        movl $17, %ecx
        testl $0x20000, F_EFLAGS(%esp)
        jz 1f
        movl $23, %ecx
        jmp 2f
1:      movl %ss:F_CS(%esp), %eax
        movl %cs, %edx
        xorl %edx, %eax
        testl $3, %eax
        jz 2f
        movl $19, %ecx
2:      movl %ecx, trap_copy_size
        movl %esp, %esi
        movl $trap_copy, %edi
3:      movl %ss:(%esi), %eax
        stosl
        addl $4, %esi
        decl %ecx
        jnz 3b
        movl %esp, trap_copy_esp
        movl %ss, %eax
        movl %eax, trap_copy_ss
        movl $0x10, %eax
        movl %eax, %ss
        movl run_esp, %esp
        testl %esp, %esp
        jnz 4f
        movl $fallback_stack_top, %esp
4:      pushl $2
        popfl
        movw %ax, %fs
        movw %ax, %gs
        call trap_store
        movl $0, run_esp
        popal
        ret

        .globl run
run:
        pushal
        movl 36(%esp), %eax
        movl %esp, run_esp
        testl $0x20000, R_EFLAGS(%eax)
        jnz 1f
        testl $3, R_CS(%eax)
        jnz 2f
        lssl R_ESP(%eax), %esp
        jmp 3f
1:      pushl R_GS(%eax)
        pushl R_FS(%eax)
        pushl R_DS(%eax)
        pushl R_ES(%eax)
2:      pushl R_SS(%eax)
        pushl R_ESP(%eax)
3:      pushl R_EFLAGS(%eax)
        pushl R_CS(%eax)
        pushl R_EIP(%eax)
        movl R_EDI(%eax), %edi
        movl R_ESI(%eax), %esi
        movl R_EBP(%eax), %ebp
        movl R_EBX(%eax), %ebx
        movl R_EDX(%eax), %edx
        testl $0x20000, R_EFLAGS(%eax)
        jnz 4f
        movw R_GS(%eax), %gs
        movw R_FS(%eax), %fs
        movw R_ES(%eax), %es
        movl R_ECX(%eax), %ecx
        pushl R_DS(%eax)
        pushl R_EAX(%eax)
        popl %eax
        popl %ds
        iretl
4:      movl R_ECX(%eax), %ecx
        movl R_EAX(%eax), %eax
        iretl

        .section .rodata
        .align 4
        .globl trap_stub_table
        .macro stub_address vector
        .long stub_\vector
        .endm
trap_stub_table:
        .set n, 0
        .rept 256
        stub_address %n
        .set n, n + 1
        .endr

        .bss
        .align 4
        .globl trap_copy, trap_copy_size, trap_copy_esp, trap_copy_ss, run_esp
trap_copy:
        .skip 92
trap_copy_size:
        .skip 4
trap_copy_esp:
        .skip 4
trap_copy_ss:
        .skip 4
run_esp: /* where run() left its stack; 0 when no snippet runs */
        .skip 4
        .skip 1024
fallback_stack_top:
