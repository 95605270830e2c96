/*
 * 8254 programmable interval timer: three counters at 1.193182 MHz.
 *
 * Intel 8254 data sheet (order 231164): six modes, counter latch, read-back, BCD, gates.
 *
 * Counters do not count: their state is a function of time (pit_counter.h). Counter 0's output
 * drives IRQ 0. A timer runs only while that interrupt is unmasked; while it is masked the output
 * is computed when somebody looks. Ticks of a periodic mode that the guest could not take in time
 * are owed to it (struct tick_debt).
 */
#ifndef DEVICES_PIT_H
#define DEVICES_PIT_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/pic.h"
#include "devices/pit_counter.h"
#include "vmm/bus.h"
#include "vmm/clock.h"
#include "vmm/irq.h"

#define PIT_HZ 1193182u

struct pit {
    struct pit_counter counter[3];
    struct vclock *clock;
    struct vtimer timer;
    struct irq_line irq;
    const struct pic *pic; /* asked whether IRQ 0 is masked or still pending */
    struct tick_debt debt;
    bool masked;        /* IRQ 0 was masked when last looked at ... */
    uint64_t masked_at; /* ... since then */
};

/* Attaches the PIT at 40h-43h with OUT 0 on input 0 of the PIC. False: a port is taken. */
bool pit_create(struct pit *p, struct bus *bus, struct vclock *clock, struct pic *pic);
/* Power-on, then as PC firmware leaves it: counter 0 in mode 3 at 18.2 Hz, counter 1 refresh. */
void pit_reset(struct pit *p);
/* Level of a counter's output now. */
bool pit_out(struct pit *p, unsigned counter);
/* Drives a counter's gate (counter 2: bit 0 of port 61h). */
void pit_set_gate(struct pit *p, unsigned counter, bool level);

#endif
