/*
 * From the Multiboot loader to kernel_main in 64-bit mode (Multiboot specification 0.6.96; Intel
 * SDM vol. 3A section 9.8.5, initializing IA-32e mode).
 *
 * The loader leaves 32-bit protected mode without paging, EAX = the magic, EBX = the information.
 */
#include "host/ring0/layout.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

#define MULTIBOOT_MAGIC  0x1badb002
#define MULTIBOOT_LOADED 0x2badb002
#define MULTIBOOT_FLAGS  0x00010003 /* page-aligned modules, memory map, address fields */

#define MSR_EFER 0xc0000080

    .section .boot, "ax"
    .code32
    .balign 4
multiboot_header:
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    .long multiboot_header, image_start, image_load_end, image_bss_end, boot_start

    .globl boot_start
boot_start:
    cli
    cld
    movl $PHYS(boot_stack_top), %esp
    cmpl $MULTIBOOT_LOADED, %eax
    movl $text_no_loader, %esi
    jne boot_refuse
    movl %ebx, %ebp

    /* a CPU without CPUID cannot flip EFLAGS.ID; one without long mode says so in 80000001h */
    pushfl
    popl %eax
    movl %eax, %ecx
    xorl $0x200000, %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    xorl %ecx, %eax
    testl $0x200000, %eax
    movl $text_no_long_mode, %esi
    jz boot_refuse
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    movl $text_no_long_mode, %esi
    jb boot_refuse
    movl $0x80000001, %eax
    cpuid
    testl $1 << 29, %edx
    jz boot_refuse
    movl %edx, %edi /* bit 20: NX */

    /* the first GiB in 2 MiB pages: at 0, at DIRECT_MAP and at KERNEL_BASE */
    movl $PHYS(boot_pdpt) + 3, %eax
    movl %eax, PHYS(boot_pml4)
    movl %eax, PHYS(boot_pml4) + 8 * ((DIRECT_MAP >> 39) & 511)
    movl $PHYS(boot_pdpt_high) + 3, PHYS(boot_pml4) + 8 * 511
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt)
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt_high) + 8 * 510
    movl $0x83, %eax
    xorl %ecx, %ecx
1:  movl %eax, PHYS(boot_pd)(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $512, %ecx
    jb 1b

    movl $0x20, %eax /* CR4.PAE */
    movl %eax, %cr4
    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $0x100, %eax /* LME */
    testl $1 << 20, %edi
    jz 2f
    orl $0x800, %eax /* NXE */
2:  wrmsr
    movl $0x80010033, %eax /* PG WP NE ET MP PE */
    movl %eax, %cr0
    lgdtl boot_gdt_pointer
    ljmpl $SEL_BOOT_CODE, $boot_long

    .code64
boot_long:
    movl $SEL_BOOT_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq $boot_stack_top, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    movq $kernel_main, %rax
    call *%rax
1:  cli
    hlt
    jmp 1b

/* Shows the text at ESI on the screen and COM1, and stops. */
    .code32
boot_refuse:
    movl $0xb8000, %edi
1:  lodsb
    testb %al, %al
    jz 3f
    movb %al, (%edi)
    movb $0x4f, 1(%edi)
    addl $2, %edi
    movb %al, %ah
    movl $100000, %ecx
2:  movw $0x3fd, %dx
    inb %dx, %al
    testb $0x20, %al
    loopz 2b
    movb %ah, %al
    movw $0x3f8, %dx
    outb %al, %dx
    jmp 1b
3:  cli
    hlt
    jmp 3b

text_no_loader:
    .asciz "ringone: not started by a Multiboot loader\r\n"
text_no_long_mode:
    .asciz "ringone: this processor has no 64-bit mode\r\n"

    .balign 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

    .bss
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pdpt_high:
    .skip 4096
boot_pd:
    .skip 4096
    .skip 32768
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
