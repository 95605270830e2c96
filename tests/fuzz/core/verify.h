/*
 * Is a translation one that cannot leave its VM? A second opinion on the host code of a block, by
 * Capstone (the translator itself decodes with Zydis) and bt/'s documentation:
 *
 *   - all of it decodes, and every branch leads to an instruction of it or to a thunk;
 *   - memory is accessed through the window with 32-bit addresses, through a pointer that the
 *     software TLB or prepare() has just given for at least as many bytes and for writing if it is
 *     written, in struct vcpu and the jump cache, and nowhere else;
 *   - nothing privileged, no system instruction, no segment, control or debug register;
 *   - registers that hold the VMM's pointers keep them; those of the guest keep 32 bits;
 *   - the side table leads from boundaries between host instructions to the block's guest bytes.
 */
#ifndef TESTS_FUZZ_CORE_VERIFY_H
#define TESTS_FUZZ_CORE_VERIFY_H

#include "bt/bt_priv.h"

void verify_init(void);
/* Aborts with the reason unless all of the above holds. */
void verify_block(struct bt *bt, const struct block *b);

#endif
