/* Boot sector that runs random code in real mode: loads 32 KiB of it from the next sectors to 7E00h
 * and enters it at places that follow from the seed at `state`. Every exception and each tick of
 * the timer, set to 1.5 kHz, enters it somewhere else, with other registers. */
        .code16
        .globl start
start:
        ljmp $0, $1f
1:      xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $0x7C00, %sp
        movw $0x0240, %ax /* read 64 sectors from cylinder 0, head 0, sector 2 */
        movw $2, %cx
        xorb %dh, %dh
        movw $0x7E00, %bx
        int $0x13
        cli
        movw $vectors, %si
2:      lodsb
        cmpb $0xFF, %al
        je 3f
        movzbw %al, %bx
        shlw $2, %bx
        movw $again, (%bx)
        movw $0, 2(%bx)
        jmp 2b
3:      movb $0x34, %al
        outb %al, $0x43
        xorb %al, %al
        outb %al, $0x40
        movb $3, %al
        outb %al, $0x40

again:
        cli
        cld
        xorw %ax, %ax
        movw %ax, %ss
        movw $0x7C00, %sp
        movw %ax, %ds
        movb $0x20, %al
        outb %al, $0x20
        movl state, %eax
        imull $1664525, %eax, %eax
        addl $1013904223, %eax
        movl %eax, state
        movl %eax, %ecx
        roll $7, %ecx
        movw %cx, %es
        movl %eax, %esi
        roll $13, %esi
        movl %ecx, %edi
        xorl %eax, %edi
        movzwl %di, %edi
        movl %eax, %edx
        movl %eax, %ebx
        shrl $17, %ebx
        addw $0x7E00, %bx
        movw %bx, target
        testl $0x3000, %eax
        jz 1f
        andl $0xFFFF, %esi /* mostly addresses within the limits */
        andl $0xFFF, %ebx
        movw %di, %ds
1:      sti
        ljmp *%cs:target

        .align 4
state:  .ascii "SEED" /* put in by the runner */
target: .word 0, 0
vectors:
        .byte 0, 1, 3, 4, 5, 6, 7, 8, 12, 13, 0xFF
        .org 510
        .word 0xAA55
