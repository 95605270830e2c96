/*
 * A PC's coprocessor error logic: how x87 errors arrive while CR0.NE is clear.
 *
 *   FERR# falls (error)     IRQ 13 is requested, and stays so until port F0h is written
 *   write to F0h            IRQ 13 ends; IGNNE# is asserted if FERR# still is
 *   FERR# rises (cleared)   IGNNE# ends
 *
 * Intel 82371AB data sheet (order 290562), coprocessor error and IGNNE#; SDM vol. 1 appendix D,
 * D.2.1.2. The processor's side of both pins is vmm/fpu_error.h.
 */
#ifndef DEVICES_COPROC_H
#define DEVICES_COPROC_H

#include <stdbool.h>

#include "vmm/bus.h"
#include "vmm/irq.h"

struct coproc {
    struct irq_line irq; /* IRQ 13 */
    bool ferr;
    bool *ignne; /* the processor's IGNNE# pin: true is asserted */
};

/* Attaches port F0h. False: it is taken. */
bool coproc_create(struct coproc *c, struct bus *bus, struct irq_line irq, bool *ignne);
void coproc_reset(struct coproc *c);
/* The processor drives FERR#: true is asserted. */
void coproc_set_ferr(struct coproc *c, bool asserted);

#endif
