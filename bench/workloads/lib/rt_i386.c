/* Program start (System V i386 ABI, "Process Initialization") and system calls of i386 programs. */
#include "rt_priv.h"

const void *rt_vsyscall;

enum { AT_SYSINFO = 32 };

__asm__(".text\n"
        ".globl _start\n"
        "_start: xorl %ebp, %ebp\n"
        "movl %esp, %eax\n"
        "andl $-16, %esp\n"
        "subl $12, %esp\n"
        "pushl %eax\n"
        "call rt_start\n");

/* rt_enter is the kernel's vDSO entry, which keeps every register but EAX, or INT 80h. */
extern const uint8_t int80[];
const void *rt_enter = int80;
__asm__(".text\n"
        ".globl int80\n"
        "int80: int $0x80\n"
        "ret\n");

/* Number, then six arguments. */
int32_t rt_system_call(uint32_t number, const uint32_t *argument);
__asm__(".text\n"
        "rt_system_call: pushl %ebp\n"
        "pushl %edi\n"
        "pushl %esi\n"
        "pushl %ebx\n"
        "movl 20(%esp), %eax\n"
        "movl 24(%esp), %ebp\n"
        "movl 0(%ebp), %ebx\n"
        "movl 4(%ebp), %ecx\n"
        "movl 8(%ebp), %edx\n"
        "movl 12(%ebp), %esi\n"
        "movl 16(%ebp), %edi\n"
        "movl 20(%ebp), %ebp\n"
        "call *rt_enter\n"
        "popl %ebx\n"
        "popl %esi\n"
        "popl %edi\n"
        "popl %ebp\n"
        "ret\n");

int32_t sys6(uint32_t number, const uint32_t argument[6]) {
    return rt_system_call(number, argument);
}

int32_t sys3(uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
    int32_t result;
    __asm__ volatile("call *%5"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "m"(rt_enter)
                     : "memory");
    return result;
}

void rt_start_system_calls(const uint32_t *environment) {
    const uint32_t *p = environment;
    while (*p != 0)
        p++;
    for (p++; *p != 0; p += 2)
        if (*p == AT_SYSINFO)
            rt_enter = rt_vsyscall = (const void *)p[1];
}
