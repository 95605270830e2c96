/* Program start (System V AMD64 ABI section 3.4.1) and system calls of 64-bit programs whose
 * pointers have 32 bits (gcc -mx32). All that is theirs lies below 4 GiB, but for what the kernel
 * puts on the first stack: arguments are copied, and the stack is another. They are ordinary 64-bit
 * programs for the kernel, so they have its 64-bit system calls, of which only those are here that
 * programs need that compute. */
#include "rt_priv.h"

enum { STACK_BYTES = 1 << 20, ARGUMENTS = 8, TEXT_BYTES = 4096 };
enum { SYS_CLOCK_GETTIME = 265, ENOSYS = 38, MAP_32BIT = 0x40 };

/* argc, argv, NULL, and an environment and an auxiliary vector with nothing in them. */
uint32_t rt_image[1 + ARGUMENTS + 4];
char rt_text[TEXT_BYTES];
uint8_t rt_stack[STACK_BYTES] __attribute__((aligned(16)));
const void *rt_vsyscall;

__asm__(".text\n"
        ".globl _start\n"
        "_start: movq (%rsp), %rcx\n"
        "cmpl $8, %ecx\n" /* ARGUMENTS */
        "ja 3f\n"
        "movl $rt_image, %ebx\n"
        "movl %ecx, (%rbx)\n"
        "leaq 8(%rsp), %rsi\n"
        "movl $rt_text, %edi\n"
        "1: movq (%rsi), %rdx\n" /* the next argument */
        "testq %rdx, %rdx\n"
        "jz 4f\n"
        "addq $8, %rsi\n"
        "addl $4, %ebx\n"
        "movl %edi, (%rbx)\n"
        "2: cmpl $rt_text + 4096, %edi\n" /* TEXT_BYTES */
        "jae 3f\n"
        "movb (%rdx), %al\n"
        "movb %al, (%rdi)\n"
        "incq %rdx\n"
        "incl %edi\n"
        "testb %al, %al\n"
        "jnz 2b\n"
        "jmp 1b\n"
        "3: ud2\n"
        "4: movl $rt_stack + 1048576, %esp\n" /* STACK_BYTES */
        "xorl %ebp, %ebp\n"
        "movl $rt_image, %edi\n"
        "call rt_start\n");

void rt_start_system_calls(const uint32_t *environment) {
    (void)environment;
}

/* The result's lower half says all, as addresses are low. */
static int32_t system_call(uint64_t number, const uint64_t argument[6]) {
    int64_t result;
    register uint64_t r10 __asm__("r10") = argument[3];
    register uint64_t r8 __asm__("r8") = argument[4];
    register uint64_t r9 __asm__("r9") = argument[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(argument[0]), "S"(argument[1]), "d"(argument[2]), "r"(r10),
                       "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return (int32_t)result;
}

static int32_t clock_gettime(uint32_t clock, uint32_t *to) {
    uint64_t now[2];
    const uint64_t argument[6] = {clock, (uint32_t)now};
    int32_t result = system_call(228, argument);

    to[0] = (uint32_t)now[0];
    to[1] = (uint32_t)now[1];
    return result;
}

/* Numbers: arch/x86/entry/syscalls/syscall_64.tbl. */
int32_t sys6(uint32_t number, const uint32_t argument[6]) {
    uint64_t wide[6];

    for (uint32_t i = 0; i < 6; i++)
        wide[i] = argument[i];
    switch (number) {
    case SYS_EXIT:
        return system_call(60, wide);
    case SYS_WRITE:
        return system_call(1, wide);
    case SYS_MMAP2: /* at no offset */
        wide[3] |= MAP_32BIT;
        return system_call(9, wide);
    case SYS_CLOCK_GETTIME:
        return clock_gettime(argument[0], (uint32_t *)argument[1]);
    default:
        return -ENOSYS;
    }
}

int32_t sys3(uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t argument[6] = {a, b, c};

    return sys6(number, argument);
}
