/*
 * Debug registers: MOV DR (Intel SDM vol. 3B section 17.2, vol. 2B MOV).
 *
 * Invariant: DR4 and DR5 have no storage; the reserved bits of DR6 and DR7 read as the manual says.
 */
#include "vmm/callout_priv.h"
#include "vmm/debug_trap.h"

#define DR6_WRITABLE 0x0000e00fu /* B0-B3, BD, BS, BT */
#define DR6_ONES     0xffff0ff0u
#define DR7_WRITABLE 0xffff23ffu
#define DR7_ONES     0x00000400u

/* The register that DR `number` means now, or -1 with a fault pending. */
static int access_register(struct vcpu *v, unsigned number) {
    if (number == 4 || number == 5) {
        if (v->cr4 & CR4_DE) {
            vcpu_raise(v, VEC_UD);
            return -1;
        }
        number += 2;
    }
    if (number > 7) {
        vcpu_raise(v, VEC_UD);
        return -1;
    }
    if (!callout_need_cpl0(v))
        return -1;
    if (v->dr[7] & DR7_GD) {
        v->sysflags |= EFL_RF; /* pushed set: this #DB is a fault, not a breakpoint */
        debug_raise(v, DR6_BD);
        return -1;
    }
    return (int)number;
}

enum callout_result callout_mov_from_dr(struct vcpu *v, uint64_t arg) {
    int number = access_register(v, CO_REG(arg));

    if (number < 0)
        return CALLOUT_EXIT;
    v->gpr[CO_RM(arg)] = v->dr[number];
    return CALLOUT_NEXT;
}

enum callout_result callout_mov_to_dr(struct vcpu *v, uint64_t arg) {
    int number = access_register(v, CO_REG(arg));
    uint32_t value = v->gpr[CO_RM(arg)];

    if (number < 0)
        return CALLOUT_EXIT;
    if (number == 6)
        value = (value & DR6_WRITABLE) | DR6_ONES;
    if (number == 7)
        value = (value & DR7_WRITABLE) | DR7_ONES;
    v->dr[number] = value;
    if (number != 7)
        return CALLOUT_NEXT;
    debug_dr7_changed(v);
    return callout_leave(v); /* what follows may have to run in single steps */
}
