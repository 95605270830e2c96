/*
 * The local APIC: its timer, and the way of the 8259A's interrupts to the CPU.
 */
#ifndef HOST_RING0_LAPIC_H
#define HOST_RING0_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* Switches it on. False: the CPU has none. */
bool lapic_init(void);
void lapic_acknowledge(void);
/* One interrupt (VECTOR_TIMER) after so many ticks, in place of the one before. 0: none. From rings
 * 0 and 1: the registers are memory. */
void lapic_timer_set(uint32_t ticks);
/* Ticks left. */
uint32_t lapic_timer_left(void);

#endif
