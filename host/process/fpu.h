/*
 * The guest's x87/SSE state lives in the host's registers while the guest runs (vmm/vcpu.h), and
 * its window may be at FS.base (windows.h). Code that calls libc in that time brackets the call
 * with fpu_guest_save and fpu_guest_restore; brackets may nest.
 */
#ifndef HOST_PROCESS_FPU_H
#define HOST_PROCESS_FPU_H

/* The state a processor has after reset (SDM vol. 3A table 9-1), for the next fpu_guest_enter. */
void fpu_guest_reset(void);

/* Loads the guest's state before the guest runs, and keeps it when the guest has stopped. */
void fpu_guest_enter(void);
void fpu_guest_leave(void);

/* Puts the guest's state aside and gives libc a clean one, if the guest's is live; and back. */
void fpu_guest_save(void);
void fpu_guest_restore(void);

#endif
