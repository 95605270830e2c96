/* x87 and SIMD floating-point exceptions: #MF is raised at the next waiting x87 instruction (NE=1),
 * #XM at the instruction itself, #UD without OSXMMEXCPT (SDM vol 1, 8.7 and 11.5; vol 3A 6.15). */
#include "guest.h"

CODE(x87_div,
     "fninit; pushl $0x037b; fldcw (%esp); fld1; fldz; fdivrp; nop; fnstsw %ax; nop; fwait");
CODE(x87_pending_fld, "fninit; pushl $0x037e; fldcw (%esp); fldz; fldz; fdivp; fld1");
CODE(x87_no_wait,
     "fninit; pushl $0x037b; fldcw (%esp); fld1; fldz; fdivrp; fnstcw (%esp); fnclex; fwait");
CODE(x87_fnop, "fninit; pushl $0x037b; fldcw (%esp); fld1; fldz; fdivrp; fnop");
CODE(x87_stack, "fninit; pushl $0x037e; fldcw (%esp); fld %st(0); nop; fnstsw %ax; fwait");
CODE(x87_masked, "fninit; fld1; fldz; fdivrp; fwait; fnstsw %ax; fninit");
CODE(x87_mmx, "fninit; pushl $0x037b; fldcw (%esp); fld1; fldz; fdivrp; emms");
CODE(sse_div, "pushl $0x1d80; ldmxcsr (%esp); movl $0x3f800000, %eax; movd %eax, %xmm0; "
              "xorps %xmm1, %xmm1; divss %xmm1, %xmm0");
CODE(sse_invalid, "pushl $0x1f00; ldmxcsr (%esp); xorps %xmm0, %xmm0; xorps %xmm1, %xmm1; "
                  "divss %xmm1, %xmm0");
CODE(sse_masked, "pushl $0x1f80; ldmxcsr (%esp); xorps %xmm0, %xmm0; xorps %xmm1, %xmm1; "
                 "divss %xmm1, %xmm0; stmxcsr (%esp); popl %eax; movd %xmm0, %edx");
CODE(sse_sqrt, "pushl $0x1f00; ldmxcsr (%esp); movl $0xbf800000, %eax; movd %eax, %xmm0; "
               "sqrtss %xmm0, %xmm0");
CODE(mxcsr_reserved, "pushl $0xf0001f80; ldmxcsr (%esp)");
CODE(mxcsr_read, "pushl $0; stmxcsr (%esp); popl %eax");

static void both(const char *name, const void *code) {
    for (int ring = 0; ring <= 3; ring += 3) {
        __asm__ volatile("fninit");
        printf("ring%d ", ring);
        if (ring)
            try_ring3(name, code);
        else
            try_ring0(name, code);
    }
}

#define BOTH(code) both(#code, code)

void guest_main(void) {
    write_cr0(CR0_PE | CR0_ET | CR0_NE | CR0_MP);
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
    BOTH(x87_div);
    BOTH(x87_pending_fld);
    BOTH(x87_no_wait);
    BOTH(x87_fnop);
    BOTH(x87_stack);
    BOTH(x87_masked);
    BOTH(x87_mmx);
    BOTH(sse_div);
    BOTH(sse_invalid);
    BOTH(mxcsr_read);
    BOTH(sse_masked);
    BOTH(sse_sqrt);
    BOTH(mxcsr_reserved);
    write_cr4(CR4_OSFXSR);
    both("sse_no_xmm", sse_invalid);
}
