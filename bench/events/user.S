/* Events of a guest's user program, ring 3: calls and faults into the kernel. */
#include "snippet.h"

        .section .text.user, "ax"

BEGIN(user_int80)
        int $0x80
END

/* SYSEXIT returns to EDX with ESP = ECX (SDM vol. 2B). */
BEGIN(user_sysenter)
        movl %esp, %ecx
        movl $1f, %edx
        sysenter
1:
END

/* EBX = an address whose page is not present; the handler skips the two bytes. */
BEGIN(user_fault)
        movl (%ebx), %eax
END

/* EBX = 0; the handler skips the two bytes. */
BEGIN(user_divide)
        divl %ebx
END

/* EBX = an address whose page is not present; the handler makes it present and the instruction runs
 * again. INT 81h makes it absent again, as munmap() would. */
BEGIN(user_demand)
        movl (%ebx), %eax
        int $0x81
END

        /* What the kernel holds begins on a page of its own. */
        .balign 4096
        .section .note.GNU-stack, "", @progbits
