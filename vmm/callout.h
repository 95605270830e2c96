/*
 * Callouts: C routines that translated code calls for instructions it does not do itself.
 *
 * On entry struct vcpu holds the full guest state; v->eip is the instruction's EIP and v->next_eip
 * the following one's. A routine that returns CALLOUT_NEXT has completed the instruction with its
 * changes in struct vcpu; translated code goes on after it (v->eip need not be set). CALLOUT_EXIT
 * leaves translated code: v->eip must be the EIP to go on at, or a fault must be pending in v->exc
 * with v->eip still at the instruction. Anything that may change what the translation depended on
 * (a code or segment-state change, CR0/CR4, paging, IF from 0 to 1, halt) must return CALLOUT_EXIT.
 *
 * The argument is fixed at translation time:
 *   bits 3:0   reg field of ModRM (a GPR, segment, control or debug register number)
 *   bits 7:4   rm field, when the operand is a register
 *   bit  8     operand is in memory, at offset v->ea of segment CO_SEG
 *   bits 11:9  its segment register
 *   bits 15:12 operand size in bytes (1, 2, 4, 8)
 *   bits 19:16 address size in bytes (2, 4)
 *   bits 21:20 repeat prefix: 0 none, 1 REP/REPE, 2 REPNE
 *   bits 31:24 second immediate, 8 bits (ENTER's level)
 *   bits 63:32 immediate, zero-extended; for far pointers the offset
 * and for direct far pointers v->val holds the selector (stored by the translation).
 */
#ifndef VMM_CALLOUT_H
#define VMM_CALLOUT_H

#include <stdint.h>

struct vcpu;

enum callout_result { CALLOUT_NEXT = 0, CALLOUT_EXIT = 1 };

typedef enum callout_result (*callout_fn)(struct vcpu *v, uint64_t arg);

#define CO_REG(a)    ((unsigned)(a)&15u)
#define CO_RM(a)     ((unsigned)((a) >> 4) & 15u)
#define CO_IS_MEM(a) ((unsigned)((a) >> 8) & 1u)
#define CO_SEG(a)    ((unsigned)((a) >> 9) & 7u)
#define CO_OPSIZE(a) ((unsigned)((a) >> 12) & 15u)
#define CO_ADSIZE(a) ((unsigned)((a) >> 16) & 15u)
#define CO_REP(a)    ((unsigned)((a) >> 20) & 3u)
#define CO_IMM8(a)   ((unsigned)((a) >> 24) & 255u)
#define CO_IMM(a)    ((uint32_t)((a) >> 32))

#define CO_REP_NONE 0u
#define CO_REP_E    1u
#define CO_REP_NE   2u

/* Every routine, one line each: name, the instructions it serves. */
#define CALLOUT_LIST(X)                                                                            \
    /* segments and far transfers: vmm/segload.c, far.c, iret.c, softint.c, sysenter.c */          \
    X(mov_to_sreg)  /* MOV Sreg, r/m16: value in v->val, sreg in CO_REG */                         \
    X(pop_sreg)     /* POP Sreg (CO_OPSIZE 2 or 4) */                                              \
    X(load_far_ptr) /* LDS LES LFS LGS LSS: GPR in CO_REG, sreg in CO_IMM */                       \
    X(jmp_far)      /* JMP ptr16:16/32 (selector v->val, offset CO_IMM) or m16:16/32 */            \
    X(call_far)     /* CALL likewise */                                                            \
    X(ret_far)      /* RETF imm16 */                                                               \
    X(iret)                                                                                        \
    X(int_n) /* INT imm8 */                                                                        \
    X(int3)                                                                                        \
    X(into)                                                                                        \
    X(int1)                                                                                        \
    X(bound)                                                                                       \
    X(sysenter)                                                                                    \
    X(sysexit)                                                                                     \
    /* system instructions: vmm/sys_*.c, control.c, debug_regs.c, msr.c, tsc.c, cpuid.c, hlt.c */  \
    X(lgdt)                                                                                        \
    X(lidt)                                                                                        \
    X(sgdt)                                                                                        \
    X(sidt)                                                                                        \
    X(lldt)                                                                                        \
    X(ltr)                                                                                         \
    X(sldt)                                                                                        \
    X(str)                                                                                         \
    X(smsw)                                                                                        \
    X(lmsw)                                                                                        \
    X(clts)                                                                                        \
    X(mov_from_cr) /* CR number in CO_REG, GPR in CO_RM */                                         \
    X(mov_to_cr)                                                                                   \
    X(mov_from_dr)                                                                                 \
    X(mov_to_dr)                                                                                   \
    X(invlpg)                                                                                      \
    X(lar)                                                                                         \
    X(lsl)                                                                                         \
    X(verr)                                                                                        \
    X(verw)                                                                                        \
    X(arpl)                                                                                        \
    X(rdmsr)                                                                                       \
    X(wrmsr)                                                                                       \
    X(rdtsc)                                                                                       \
    X(rdpmc)                                                                                       \
    X(cpuid)                                                                                       \
    X(hlt)                                                                                         \
    X(cache_op) /* INVD WBINVD: privilege check, else nothing */                                   \
    /* IF and I/O: vmm/flags_ops.c, port_io.c */                                                   \
    X(cli)                                                                                         \
    X(sti)                                                                                         \
    X(pushf)                                                                                       \
    X(popf)                                                                                        \
    X(in) /* IN: port CO_IMM if CO_IS_MEM is 0 and CO_RM is 0, port DX if CO_RM is 1 */            \
    X(out)                                                                                         \
    X(ins)                                                                                         \
    X(outs)                                                                                        \
    /* string instructions in checked form: vmm/string.c */                                        \
    X(movs)                                                                                        \
    X(stos)                                                                                        \
    X(lods)                                                                                        \
    X(cmps)                                                                                        \
    X(scas)                                                                                        \
    /* instructions that 64-bit mode no longer has: vmm/bcd.c, legacy.c */                         \
    X(aaa)                                                                                         \
    X(aas)                                                                                         \
    X(daa)                                                                                         \
    X(das)                                                                                         \
    X(aam)                                                                                         \
    X(aad)                                                                                         \
    X(pusha)                                                                                       \
    X(popa)                                                                                        \
    X(enter)                                                                                       \
    X(divide) /* #DE if DIV or IDIV (CO_REG 6 or 7) would fault: vmm/divide.c */                   \
    /* vmm/fpu.c */                                                                                \
    X(fnstenv)                                                                                     \
    X(fnsave)                                                                                      \
    X(fxsave)                                                                                      \
    X(fpu_hold)   /* before a waiting x87 instruction while FERR# is asserted: vmm/fpu_error.c */  \
    X(fpu_settle) /* behind any then; argument: it loads the status word */                        \
    X(fxrstor)                                                                                     \
    /* faults: vmm/legacy.c */                                                                     \
    X(undefined) /* #UD, for -d unimp: the decoder or bt/insn.def does not know the instruction */ \
    X(ud)        /* #UD, as the manual wants it */                                                 \
    X(nm)        /* #NM */                                                                         \
    X(gp)        /* #GP(0) */

#define X(name) enum callout_result callout_##name(struct vcpu *v, uint64_t arg);
CALLOUT_LIST(X)
#undef X

#endif
