/*
 * Intel 440FX host bridge, 8086:1237, as function 0 of PCI device 0.
 *
 * Intel 82441FX (PMC) data sheet (order 290549). The PAM registers route C0000h-FFFFFh when
 * there is a boot ROM; without one that is always RAM. The SMRAM and DRAM registers only hold what
 * is written.
 */
#ifndef DEVICES_I440FX_H
#define DEVICES_I440FX_H

#include "devices/pci.h"

struct i440fx {
    struct pci_function pci;
    /* Routes a segment by the PAM registers (vmm/firmware.h); NULL: there is no ROM. */
    void (*route)(void *chip, unsigned segment, bool reads_dram, bool writes_dram);
    void *route_chip;
};

bool i440fx_create(struct i440fx *h, struct pci_bus *bus);
/* Without a ROM: as firmware leaves it, everything is RAM. */
void i440fx_reset(struct i440fx *h);
/* Subsystem identity of the board. */
void i440fx_identify(struct i440fx *h, uint16_t vendor, uint16_t device);

#endif
