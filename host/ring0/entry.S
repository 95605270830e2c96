/*
 * Entry points of all interrupt vectors, and the ways between ring 0 and ring 1 (Intel SDM vol. 3A
 * section 6.14, exception and interrupt handling in 64-bit mode).
 *
 * Every stub makes the stack a struct trap_frame (trap.h) and calls trap_handle with it, or, of the
 * second set, sample_trap (sample.h).
 */
#include "host/ring0/layout.h"

    .text

/* Exceptions 8, 10 to 14, 17, 21, 29 and 30 push an error code; the others get a zero. */

    .macro entries stubs, handler
    .balign 16
    .globl \stubs
\stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if !((vector < 32) && ((0x60227d00 >> (vector & 31)) & 1))
    pushq $0
    .endif
    pushq $vector
    jmp \stubs\()_common
    .set vector, vector + 1
    .endr

\stubs\()_common:
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
    pushq %rdi
    pushq %rsi
    pushq %rbp
    pushq 128(%rsp) /* the interrupted RSP: above 11 registers, vector, error, RIP, CS, RFLAGS */
    pushq %rbx
    pushq %rdx
    pushq %rcx
    pushq %rax
    cld
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    call \handler
    movq %rbx, %rsp
    popq %rax
    popq %rcx
    popq %rdx
    popq %rbx
    addq $8, %rsp
    popq %rbp
    popq %rsi
    popq %rdi
    popq %r8
    popq %r9
    popq %r10
    popq %r11
    popq %r12
    popq %r13
    popq %r14
    popq %r15
    addq $16, %rsp
    iretq
    .endm

    entries trap_stubs, trap_handle
    entries trap_stubs_sampled, sample_trap

/* void ring1_enter(void (*fn)(void), void *stack): leaves ring 0 for good, but for traps. */
    .globl ring1_enter
ring1_enter:
    movl $SEL_DATA1, %eax
    movl %eax, %ds
    movl %eax, %es
    subq $8, %rsi /* as behind a CALL */
    pushq $SEL_DATA1
    pushq %rsi
    pushq $0x202
    pushq $SEL_CODE1
    pushq %rdi
    xorl %ebp, %ebp
    iretq

    .section .note.GNU-stack, "", @progbits
