/*
 * void stack16_iret(const struct trap_frame *f, uint64_t *stack): see stack16.c.
 */
    .text
    .globl stack16_iret
stack16_iret:
    movq %rsi, %rsp
    movq 0(%rdi), %rax
    movq 8(%rdi), %rcx
    movq 16(%rdi), %rdx
    movq 24(%rdi), %rbx
    movq 40(%rdi), %rbp
    movq 48(%rdi), %rsi
    movq 64(%rdi), %r8
    movq 72(%rdi), %r9
    movq 80(%rdi), %r10
    movq 88(%rdi), %r11
    movq 96(%rdi), %r12
    movq 104(%rdi), %r13
    movq 112(%rdi), %r14
    movq 120(%rdi), %r15
    movq 56(%rdi), %rdi
    iretq

    .section .note.GNU-stack, "", @progbits
