/*
 * x87 errors, however CR0.NE says they are reported: as #MF, or on the pins FERR# and IGNNE# of a
 * PC's coprocessor error logic (devices/coproc.h).
 *
 * Intel SDM vol. 1 sections 8.7.1 (native mode), 8.7.2 (MS-DOS compatibility mode) and appendix D,
 * D.2.1. FERR# is asserted where error reporting is deferred to: at the waiting instruction behind
 * the error, which freezes the processor until an interrupt comes. With IGNNE# waiting instructions
 * run as if there were no error; none of this happens on the host, so the error flags are taken out
 * of the status word for that time.
 *
 * Invariant: v->ferr implies that translated code tells of every x87 instruction (KEY_FERR).
 */
#ifndef VMM_FPU_ERROR_H
#define VMM_FPU_ERROR_H

#include "vmm/vcpu.h"

/* The instruction at v->eip waits and has met an unmasked error. NE: #MF is pending. Else FERR# is
 * asserted and the processor waits for an interrupt, unless IGNNE# lets the instruction run. May be
 * called by a signal handler. */
void fpu_error_met(struct vcpu *v);

/* Translated code was left while FERR# was asserted: puts error flags back that an instruction with
 * IGNNE# was to run without, and ends FERR# when the error has been cleared. */
void fpu_error_settle(struct vcpu *v);

#endif
