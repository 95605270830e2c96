/*
 * PIIX3 PCI-to-ISA bridge, 8086:7000, as function 0 of PCI device 1: PCI interrupt routing and the
 * reset control register.
 *
 * Intel 82371SB data sheet (order 290550): PIRQRC 60h-63h, RC at CF9h.
 */
#ifndef DEVICES_PIIX3_H
#define DEVICES_PIIX3_H

#include "devices/pci.h"
#include "devices/pic.h"

struct piix3 {
    struct pci_function pci;
    struct pci_bus *bus;
    struct vm *vm;
    struct irq_or isa[16]; /* PIRQs by the ISA interrupt they go to */
    bool pirq[4];
};

bool piix3_create(struct piix3 *p, struct vm *vm, struct pci_bus *bus, struct pic *pic);
/* As firmware leaves it: PIRQA and B on IRQ 10, C and D on IRQ 11, these and the SCI's IRQ 9
 * level-triggered. */
void piix3_reset(struct piix3 *p, struct pic *pic);

/* ISA interrupt 14 or 15 for an on-board device, beside the PIRQs routed there. */
struct irq_line piix3_isa_input(struct piix3 *p, unsigned irq);

#endif
