/*
 * i8042 keyboard controller with the auxiliary (mouse) port of the PS/2.
 *
 * IBM PS/2 Hardware Interface Technical Reference, Keyboard and Auxiliary Device Controller; Intel
 * 8042 data sheet for the status port. Commands take effect at once, so the input buffer is never
 * full. The output port's bit 0 is the machine's reset, bit 1 its A20 gate.
 */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/ps2.h"
#include "vmm/a20.h"
#include "vmm/bus.h"
#include "vmm/irq.h"

struct i8042 {
    struct vm *vm;
    struct irq_line irq_keyboard, irq_mouse;
    struct a20_gate *a20;
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;
    uint8_t ram[32]; /* byte 0 is the command byte */
    uint8_t command; /* whose data byte comes next at port 60h, 0: none */
    uint8_t status;  /* as port 64h shows it */
    uint8_t output;  /* the output buffer, and the last byte read */
};

/* Attaches ports 60h and 64h. False: a port is taken. */
bool i8042_create(struct i8042 *k, struct vm *vm, struct irq_line keyboard, struct irq_line mouse,
                  struct a20_gate *a20);
void i8042_reset(struct i8042 *k);

#endif
