/* Events that any ring may cause and that need nothing from the kernel: measured natively too. */
#include "snippet.h"

        .section .text.user, "ax"
        .balign 4096

BEGIN(plain_nothing)
END

BEGIN(plain_call)
        call leaf
END
leaf:   ret

/* EBX = plain_jump_target. */
BEGIN(plain_jump)
        jmp *%ebx
        .globl plain_jump_target
plain_jump_target:
END

BEGIN(plain_pushf)
        pushfl
        popfl
END

BEGIN(plain_rdtsc)
        rdtsc
END

BEGIN(plain_cpuid)
        xorl %eax, %eax
        cpuid
END

/* EBX = a data selector. */
BEGIN(plain_segment)
        movw %bx, %es
END

        .section .note.GNU-stack, "", @progbits
