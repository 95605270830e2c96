/*
 * Event delivery as the software interrupts use it (private to vmm/).
 */
#ifndef VMM_INTERRUPT_H
#define VMM_INTERRUPT_H

#include "vmm/cpu.h"

/* An event on its way through a gate. */
struct interrupt_event {
    unsigned vector;
    bool software; /* the gate's DPL counts */
    bool has_error;
    unsigned ext; /* EXT bit for faults found on the way */
    uint32_t error;
    uint32_t eip;   /* to push */
    uint32_t image; /* EFLAGS to push */
};

/*
 * Delivers vector as INT n, INT3 and INTO do: DPL of the gate checked, error codes without EXT.
 * The handler returns to `eip`. False: fault pending; v->eip untouched unless a task switch was
 * already committed.
 */
bool interrupt_software(struct vcpu *v, unsigned vector, uint32_t eip);

/* INT1: as software, but privileged and marked external (SDM vol. 2A, INT n). */
bool interrupt_icebp(struct vcpu *v, uint32_t eip);

#endif
