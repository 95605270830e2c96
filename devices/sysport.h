/*
 * The PC's system control ports: B at 61h (timer 2 gate, speaker, refresh toggle) and A at 92h
 * (fast A20 and reset), the POST code latch at 80h, and the debug console at E9h and,
 * where SeaBIOS looks for it, at 402h.
 *
 * Intel 82371SB (PIIX3) data sheet, NMISC at 61h; IBM PS/2 technical reference, port 92h.
 */
#ifndef DEVICES_SYSPORT_H
#define DEVICES_SYSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/pit.h"
#include "vmm/a20.h"
#include "vmm/bus.h"
#include "vmm/clock.h"

struct sysport {
    struct vm *vm;
    struct vclock *clock;
    struct pit *pit;
    struct a20_gate *a20; /* also driven by the i8042 */
    int debugcon;         /* host channel of ports E9h and 402h, -1: none */
    uint8_t port61;       /* bits 0-3: gate 2, speaker data, NMI masks */
    uint8_t post;         /* last value written to port 80h */
};

/* Attaches ports 61h, 80h, 92h and, with a debug channel, E9h and 402h. False: a port is taken. */
bool sysport_create(struct sysport *s, struct vm *vm, struct vclock *clock, struct pit *pit,
                    struct a20_gate *a20, int debugcon);
void sysport_reset(struct sysport *s);

#endif
