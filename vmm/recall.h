/*
 * What the last transfers between CPL 3 and CPL 0, and the last loads of segment registers, came to
 * (private to vmm/, but for what translated code reads of it: bt/lower_segment.c).
 *
 * System calls go through the same few descriptors every time. An entry holds what was found in
 * them together with the bytes that they had in memory, all eight; it counts only where memory
 * still holds these bytes, which is looked at each time, and where the table registers let them be
 * reached. So an entry never needs to be dropped when a descriptor changes, and what comes out is
 * what the general routines would come to. Where memory holds them is found anew only after
 * something like a TLB flush or a load of a table register: tables_epoch counts these. They make
 * the entries, and do everything that has none.
 */
#ifndef VMM_RECALL_H
#define VMM_RECALL_H

#include <stdbool.h>
#include <stdint.h>

struct interrupt_event;
struct vcpu;

/*
 * An event at CPL 3 through a 32-bit interrupt or trap gate to CPL 0 on a flat stack of a 32-bit
 * TSS (Intel SDM vol. 3A section 6.12.1). True: done, as deliver_protected() in vmm/interrupt.c
 * does it. False: nothing has changed.
 */
bool recall_deliver(struct vcpu *v, const struct interrupt_event *e);

/* Such a delivery has just been done by the general routine, from CPL `from`. */
void recall_note_gate(struct vcpu *v, unsigned vector, unsigned from);

/* IRETD at CPL 0 to CPL 3 and flat segments (SDM vol. 2A, IRET). True: done. False: nothing has
 * changed. */
bool recall_iret(struct vcpu *v);

/* Such an IRETD has just been done by the general routine, from CPL `from`. */
void recall_note_iret(struct vcpu *v, unsigned from);

/* Segment register sreg (ES, DS, FS or GS) has just been loaded with a selector. */
void recall_note_load(struct vcpu *v, unsigned sreg);

/* GDTR, IDTR or TR has changed. */
void recall_tables_loaded(struct vcpu *v);

#endif
