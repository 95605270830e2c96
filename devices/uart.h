/*
 * 16550A asynchronous receiver/transmitter.
 *
 * National Semiconductor PC16550D data sheet. The line has no speed here: a byte written is at the
 * host at once (or waits in the FIFO while the host is full), a byte from the host is received when
 * there is room, so nothing is ever overrun, and the receive time-out comes at once. On a PC the
 * interrupt passes a gate that OUT2 opens.
 */
#ifndef DEVICES_UART_H
#define DEVICES_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/clock.h"
#include "vmm/irq.h"

#define UART_FIFO 16u

struct uart {
    struct irq_line irq;
    struct vclock *clock;
    struct vtimer retry; /* the host did not take a byte */
    unsigned channel;    /* of host_chr_* */

    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    uint8_t errors;    /* LSR bits 1-4 that stand until it is read */
    bool thre_pending; /* the transmitter-empty interrupt was not yet seen in IIR */
    uint8_t rx[UART_FIFO], tx[UART_FIFO];
    uint8_t rx_head, rx_count, tx_head, tx_count;
};

/* Attaches a UART at eight ports from base; bytes go to and come from the host's channel.
 * False: a port is taken. */
bool uart_create(struct uart *u, struct bus *bus, struct vclock *clock, uint16_t base,
                 struct irq_line irq, unsigned channel);
/* Master reset. */
void uart_reset(struct uart *u);
/* Takes what has come in at the host. Called after host_poll(). */
void uart_poll(struct uart *u);

#endif
