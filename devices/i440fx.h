/*
 * Intel 440FX host bridge, 8086:1237, as function 0 of PCI device 0.
 *
 * Intel 82441FX (PMC) data sheet (order 290549). Memory is always there and not shadowed from a
 * ROM, so the PAM, SMRAM and DRAM registers only hold what is written.
 */
#ifndef DEVICES_I440FX_H
#define DEVICES_I440FX_H

#include "devices/pci.h"

struct i440fx {
    struct pci_function pci;
};

bool i440fx_create(struct i440fx *h, struct pci_bus *bus);
void i440fx_reset(struct i440fx *h);

#endif
