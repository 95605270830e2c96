/*
 * Which host register holds what while translated code runs.
 *
 *   RAX RCX RDX RBX RBP RSI RDI   guest EAX ECX EDX EBX EBP ESI EDI, upper halves zero
 *   R12                           guest ESP, or what it lags behind by (esp.c); its low three
 *                                 encoding bits are ESP's, so that re-encoding an operand only sets
 *                                 a REX bit
 *   R8-R11                        scratch within one guest instruction
 *   R13                           jump cache of the current view, or the poison page after a kick
 *   R14                           the edge: a byte behind which 4 GiB fault (edge.c)
 *   R15                           struct vcpu
 *   RSP                           stack of return addresses into translated code (returns.c); the
 *                                 VMM's stack is at v->host_rsp
 *   FS.base, GS.base              window of CPL 3, of CPL 0 to 2
 *   RFLAGS                        guest arithmetic flags and DF
 */
#ifndef BT_REGS_H
#define BT_REGS_H

enum host_reg {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    REG_NONE = -1
};

#define REG_GUEST_ESP  R12
#define REG_JUMP_CACHE R13
#define REG_EDGE       R14
#define REG_VCPU       R15

/* Host register of guest GPR n (EAX..EDI). */
static inline int reg_of_gpr(unsigned n) {
    return n == 4 ? REG_GUEST_ESP : (int)n;
}

#endif
