/*
 * Guest kernel of the differential instruction test: Multiboot 1 entry (Multiboot specification
 * 0.6.96, section 3) and the exception entries (Intel SDM vol. 3A section 6.12).
 *
 * Every entry leaves a struct frame (kernel.c) on the stack and the x87/SSE state in kernel_fx; trap()
 * changes both to say where to go on.
 */
        .section .multiboot, "a"
        .balign 4
        .long   0x1badb002, 0x3, -(0x1badb002 + 0x3)

        .text
        .globl  _start
_start:
        movl    $kernel_stack_end, %esp
        pushl   %ebx                    /* Multiboot information */
        pushl   %eax                    /* magic */
        cld
        call    kernel_main
1:      hlt
        jmp     1b

/* Entry i is at trap_entries + 16 * i. Those that push no error code push a zero. */
        .balign 16
        .globl  trap_entries
trap_entries:
        .set    vector, 0
        .rept   256
        .balign 16
        .if     vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
        pushl   $0
        .endif
        pushl   $vector
        jmp     trap_common
        .set    vector, vector + 1
        .endr

trap_common:
        pushal
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        cld
        movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        fxsave  kernel_fx
        pushl   %esp
        call    trap
        addl    $4, %esp
        fxrstor kernel_fx
        .globl  trap_return
trap_return:
        popl    %gs
        popl    %fs
        popl    %es
        popl    %ds
        popal
        addl    $8, %esp
        .globl  trap_iret
trap_iret:
        iretl

        .section .note.GNU-stack, "", @progbits
