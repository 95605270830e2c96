/* #NM and #UD for x87, WAIT, MMX and SSE by CR0.TS, EM, MP and CR4.OSFXSR (SDM vol 3A, 2.5 table
 * 2-2 and 6.15, vector 7). */
#include "guest.h"

CODE(x87, "fninit");
CODE(wait_insn, "fwait");
CODE(mmx, "emms");
CODE(sse, "xorps %xmm0, %xmm0");
CODE(sse2_integer, "pxor %xmm0, %xmm0");
CODE(ldmxcsr, "pushl $0x1f80; ldmxcsr (%esp); popl %eax");
CODE(fxsave, "fxsave (%esi)");
CODE(fnstsw, "fnstsw %ax; andl $0, %eax");
CODE(prefetch, "prefetchnta (%esi)");
CODE(sfence, "sfence");

static const struct {
    const char *name;
    const uint8_t *code;
} insns[] = {{"fninit", x87},        {"fwait", wait_insn}, {"emms", mmx},      {"xorps", sse},
             {"pxor", sse2_integer}, {"ldmxcsr", ldmxcsr}, {"fxsave", fxsave}, {"fnstsw", fnstsw},
             {"prefetch", prefetch}, {"sfence", sfence}};

void guest_main(void) {
    for (unsigned i = 0; i < sizeof insns / sizeof insns[0]; i++) {
        for (int osfxsr = 0; osfxsr < 2; osfxsr++) {
            printf("%s osfxsr%d, ts em mp 000..111:", insns[i].name, osfxsr);
            for (uint32_t bits = 0; bits < 8; bits++) {
                struct regs in = bits & 1 ? regs_ring3(insns[i].code) : regs_ring0(insns[i].code);
                in.esi = ARENA;
                write_cr4(osfxsr ? CR4_OSFXSR : 0);
                write_cr0(CR0_PE | CR0_ET | (bits & 4 ? CR0_TS : 0) | (bits & 2 ? CR0_EM : 0) |
                          (bits & 1 ? CR0_MP : 0));
                run(&in);
                printf(" %s", trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
                if (trap.vector != VECTOR_END && trap.regs.eip != in.eip &&
                    insns[i].code != ldmxcsr)
                    printf("+%d", trap.regs.eip - in.eip);
            }
            printf("\n");
        }
    }
}
