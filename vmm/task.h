/*
 * Hardware task switching (SDM vol. 3A chapter 7; private to vmm/).
 */
#ifndef VMM_TASK_H
#define VMM_TASK_H

#include "vmm/cpu.h"

enum task_source { TASK_JMP, TASK_CALL, TASK_IRET, TASK_EVENT };

/*
 * Switches to the task whose TSS selector is `sel` (from a far pointer, a task gate or the link
 * field); the caller has done the privilege checks. `eip` and `eflags` are what the old task
 * resumes with. ext: EXT bit of error codes.
 *
 * False: a fault is pending. Up to the commit point the guest's state is untouched; a fault found
 * later (a bad segment in the new TSS) belongs to the new task, whose EIP is then in v->eip.
 */
bool task_switch(struct vcpu *v, uint16_t sel, enum task_source source, unsigned ext, uint32_t eip,
                 uint32_t eflags);

/* Pushes an event's error code on the stack of the task just switched to. */
bool task_push_error(struct vcpu *v, uint32_t error, unsigned ext);

#endif
