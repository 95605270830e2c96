/*
 * Call gates (SDM vol. 3A section 5.8.3; private to vmm/).
 */
#ifndef VMM_CALLGATE_H
#define VMM_CALLGATE_H

#include "vmm/cpu.h"

/*
 * JMP or CALL through the call gate whose descriptor, read at selector sel, is `gate`. On success
 * CS:EIP, CPL and for CALL the stack are the target's. False: fault pending, state untouched.
 */
bool callgate_jmp(struct vcpu *v, uint16_t sel, const struct desc *gate);
bool callgate_call(struct vcpu *v, uint16_t sel, const struct desc *gate);

#endif
