/*
 * What the VMM is doing: a word in struct vcpu that a sampling profiler reads (-profile). Whoever
 * begins something that takes time and is not told by the code address alone writes it there.
 *
 * While translated code runs the word is left over from the last thing before; the code address
 * says that translated code runs. A store costs nothing that can be measured, so it is always done.
 */
#ifndef VMM_ACTIVITY_H
#define VMM_ACTIVITY_H

#include "vmm/vcpu.h"

enum activity {
    ACTIVITY_CALLOUTS = 128, /* below: the callout of that number, bt_callout_name() */
    ACTIVITY_RUN_LOOP = ACTIVITY_CALLOUTS, /* looking for what is to run next */
    ACTIVITY_TRANSLATE,
    ACTIVITY_DELIVER,     /* an exception or interrupt to the guest */
    ACTIVITY_ACCESS,      /* a checked operand that the software TLB does not serve */
    ACTIVITY_SEGMENT,     /* a segment that is not flat: limit and type */
    ACTIVITY_EXCEPTION,   /* of the host, in translated code: a poll, #DE ... */
    ACTIVITY_FILL,        /* the same: a shadow miss, the window gets the page */
    ACTIVITY_GUEST_FAULT, /* the same: it is the guest's page fault */
    ACTIVITY_CODE_WRITE,  /* the same: a write to a page with code */
    ACTIVITY_WINDOWS,     /* windows follow what the guest has invalidated */
    ACTIVITY_DEVICES,     /* timers and input */
    ACTIVITY_MMIO,        /* a device at a memory address */
    ACTIVITY_HOST,        /* terminal, files */
};

/* Begins something within something else; the result is for activity_end. */
static inline uint32_t activity_begin(struct vcpu *v, enum activity what) {
    uint32_t before = v->activity;

    v->activity = what;
    return before;
}

static inline void activity_end(struct vcpu *v, uint32_t before) {
    v->activity = before;
}

#endif
