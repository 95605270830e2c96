/*
 * Two cascaded 8259A interrupt controllers with the edge/level registers of the PIIX.
 *
 * Intel 8259A data sheet (order 231468): ICW1-4, OCW1-3, poll, special mask, rotation, AEOI,
 * special fully nested mode. Intel 82371SB (PIIX3) data sheet 2.5: ELCR at 4D0h/4D1h.
 *
 * Inputs 0-15: 0-7 on the master (2 is the cascade), 8-15 on the slave. As in the data sheet, an
 * edge request whose line falls before it is acknowledged is gone, and acknowledging nothing gives
 * the spurious vector 7 (or 15).
 */
#ifndef DEVICES_PIC_H
#define DEVICES_PIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq.h"

/* What a device behind an input wants to know. Any function may be NULL. */
struct pic_watch {
    void (*observe)(
        void *dev); /* software is about to look at requests: bring the line up to date */
    void (*changed)(void *dev); /* its mask bit changed, or its request was acknowledged or reset */
    void *dev;
};

struct pic_chip {
    uint8_t irr, isr, imr;
    uint8_t lines;      /* level of each input */
    uint8_t elcr;       /* 1: level-triggered */
    uint8_t elcr_valid; /* inputs whose trigger mode may be changed */
    uint8_t base;       /* vector of input 0 */
    uint8_t lowest;     /* the input of lowest priority */
    uint8_t init_step;  /* next ICW (2, 3, 4), 0: initialised */
    bool want_icw4, single;
    bool auto_eoi, rotate_on_aeoi, nested_special, special_mask;
    bool read_isr, poll;
};

struct pic {
    struct pic_chip chip[2]; /* master, slave */
    struct irq_line out;     /* INTR */
    struct pic_watch watch[16];
};

/* Attaches the pair at 20h, 21h, A0h, A1h, 4D0h, 4D1h. False: a port is taken. */
bool pic_create(struct pic *p, struct bus *bus, struct irq_line out);
/* Power-on: nothing requested, edge-triggered, all inputs masked until software initialises it. */
void pic_reset(struct pic *p);
/* The line that drives input 0-15. */
struct irq_line pic_input(struct pic *p, unsigned input);
void pic_set_watch(struct pic *p, unsigned input, const struct pic_watch *watch);
/* True: input n is masked, or n is on the slave and the cascade input is. */
bool pic_masked(const struct pic *p, unsigned input);
/* True: a request of this input waits to be acknowledged. */
bool pic_requested(const struct pic *p, unsigned input);
/* The two INTA cycles: acknowledges the highest request and gives its vector. */
uint8_t pic_acknowledge(struct pic *p);
/* Sets the trigger modes as firmware does: bit n of level for input n. */
void pic_set_elcr(struct pic *p, uint16_t level);

#endif
