/* Multiboot 1 entry (Multiboot Specification 0.6.96, sections 3.1 and 3.2): the loader enters in
 * 32-bit protected mode, paging off, interrupts off, EAX = magic, EBX = information. No stack and
 * no usable GDT are promised. */
        .section .multiboot, "a"
        .align 4
        .long 0x1BADB002
        .long 3 /* page-align modules, give memory information */
        .long -(0x1BADB002 + 3)

        .text
        .globl boot_entry
boot_entry:
        movl $boot_stack_top, %esp
        pushl $0
        popfl
        movl %eax, boot_magic
        movl %ebx, boot_info
        call guest_start
1:      cli
        hlt
        jmp 1b

        .bss
        .align 16
        .skip 16384
boot_stack_top:
        .globl boot_magic, boot_info
boot_magic:
        .skip 4
boot_info:
        .skip 4
