/*
 * -profile on the ring-0 host (host/process/profile.h): samples of what the virtual CPU does, for
 * the launcher.
 *
 * A machine that takes samples has an IDT of its own, whose stubs call sample_trap; where none are
 * taken nothing is different. Ring 0 runs with interrupts off, so a sample that falls due there is
 * taken at its end, and charged to what it was asked for.
 */
#ifndef HOST_RING0_SAMPLE_H
#define HOST_RING0_SAMPLE_H

#include <stdbool.h>

struct trap_frame;
struct vm;

enum { SAMPLE_PERIOD_NS = 1003009 /* as in the process host */ };

/* Gets the memory. False: there is too little. */
bool sample_create(const struct vm *vm);
/* Around bt_run. */
void sample_start(void);
void sample_stop(void);
/* Sends what was sampled so far, before guest memory is reused. Not while sampling. */
void sample_fold(void);
/* Ring 1, at a kick: looks for the guest's own symbols. */
void sample_poll(void);

/* What the stubs call: trap_handle, and a sample if one is due. */
void sample_trap(struct trap_frame *f);

#endif
