/*
 * The PC's two 8237A DMA controllers and their page registers, without any device that requests
 * transfers: registers keep what is written.
 *
 * Intel 8237A data sheet (order 231466); page registers at 80h-8Fh as on the PC/AT (80h itself is
 * devices/sysport.c's).
 */
#ifndef DEVICES_DMA8237_H
#define DEVICES_DMA8237_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"

struct dma8237_chip {
    uint16_t base[8], current[8]; /* address and count of channels 0-3, in turn */
    uint8_t mode[4], command, mask, request;
    bool high_byte; /* the first/last flip-flop */
};

struct dma8237 {
    struct dma8237_chip chip[2]; /* channels 0-3 (00h-0Fh), 4-7 (C0h-DFh, every second port) */
    uint8_t page[16];
};

/* Attaches 00h-0Fh, C0h-DFh and the page registers. False: a port is taken. */
bool dma8237_create(struct dma8237 *d, struct bus *bus);
void dma8237_reset(struct dma8237 *d);

#endif
