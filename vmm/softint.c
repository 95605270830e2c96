/*
 * Software interrupts: INT n, INT3, INTO, INT1, and BOUND.
 * Intel SDM vol. 2A INT n, BOUND; vol. 3B section 20.2.7 (INT n in virtual-8086 mode).
 */
#include "host/host.h"
#include "vmm/callout.h"
#include "vmm/interrupt.h"
#include "vmm/segment.h"

static bool int_n_v86(struct vcpu *v, unsigned vector) {
    if ((v->sysflags & EFL_IOPL) != EFL_IOPL)
        return vcpu_raise_error(v, VEC_GP, 0);
    return interrupt_software(v, vector, v->next_eip);
}

enum callout_result callout_int_n(struct vcpu *v, uint64_t arg) {
    unsigned vector = CO_IMM(arg) & 0xffu;

    if (v->sysflags & EFL_VM)
        int_n_v86(v, vector);
    else
        interrupt_software(v, vector, v->next_eip);
    return CALLOUT_EXIT;
}

enum callout_result callout_int3(struct vcpu *v, uint64_t arg) {
    (void)arg;
    interrupt_software(v, VEC_BP, v->next_eip);
    return CALLOUT_EXIT;
}

enum callout_result callout_into(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (!(v->flags & EFL_OF))
        return CALLOUT_NEXT;
    interrupt_software(v, VEC_OF, v->next_eip);
    return CALLOUT_EXIT;
}

enum callout_result callout_int1(struct vcpu *v, uint64_t arg) {
    (void)arg;
    interrupt_icebp(v, v->next_eip);
    return CALLOUT_EXIT;
}

enum callout_result callout_bound(struct vcpu *v, uint64_t arg) {
    unsigned size = CO_OPSIZE(arg);
    uint8_t bytes[8];
    int32_t index, low, high;

    if (!cpu_read_parts(v, CO_SEG(arg), v->ea, bytes, 2 * size, size))
        return CALLOUT_EXIT;
    if (size == 4) {
        index = (int32_t)v->gpr[CO_REG(arg) & 7u];
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + 4, 4);
    } else {
        int16_t pair[2];

        index = (int16_t)v->gpr[CO_REG(arg) & 7u];
        memcpy(pair, bytes, 4);
        low = pair[0];
        high = pair[1];
    }
    if (index >= low && index <= high)
        return CALLOUT_NEXT;
    vcpu_raise(v, VEC_BR);
    return CALLOUT_EXIT;
}
