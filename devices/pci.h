/*
 * PCI bus 0 with configuration mechanism 1.
 *
 * PCI Local Bus Specification 2.1, sections 3.7.4.1 (CF8h, CFCh) and 6 (configuration space).
 * Functions that are not there read ones. A function's configuration space is a byte image; wmask
 * says which bits software may change.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/irq.h"

#define PCI_DEVFN(dev, fn) ((unsigned)(dev) << 3 | (unsigned)(fn))
#define PCI_FUNCTIONS      32u

/* Configuration space header, section 6.1. */
#define PCI_VENDOR           0x00u
#define PCI_DEVICE           0x02u
#define PCI_COMMAND          0x04u
#define PCI_STATUS           0x06u
#define PCI_REVISION         0x08u
#define PCI_CLASS            0x09u /* programming interface, subclass, class */
#define PCI_HEADER           0x0eu
#define PCI_SUBSYSTEM_VENDOR 0x2cu
#define PCI_SUBSYSTEM_ID     0x2eu
#define PCI_IRQ_LINE         0x3cu
#define PCI_IRQ_PIN          0x3du
#define PCI_MULTI            0x80u /* in PCI_HEADER: other functions exist */
#define PCI_COMMAND_IO       0x0001u
#define PCI_COMMAND_MEM      0x0002u
#define PCI_COMMAND_MSTR     0x0004u

struct pci_function {
    unsigned devfn;
    uint8_t config[256], wmask[256];
    /* After software wrote [offset, offset+size); may be NULL. */
    void (*written)(void *dev, unsigned offset, unsigned size);
    void *dev;
};

struct pci_bus {
    uint32_t address; /* CF8h */
    struct pci_function *function[PCI_FUNCTIONS];
    unsigned count;
    struct irq_or intx[4];                           /* PIRQA-D; drivers are the device numbers */
    void (*reset_control)(void *dev, uint8_t value); /* the byte register CF9h of the PIIX */
    void *reset_dev;
    uint8_t reset_value;
};

/* What a function is, for pci_function_init. */
struct pci_id {
    uint16_t vendor, device;
    uint32_t class_code; /* class << 16 | subclass << 8 | interface */
    uint8_t revision;
};

/* Attaches CF8h-CFFh. False: a port is taken. */
bool pci_create(struct pci_bus *b, struct bus *bus);
void pci_reset(struct pci_bus *b);
/* Fills in the read-only identity; the rest of the space is zero and read-only. */
void pci_function_init(struct pci_function *f, unsigned devfn, const struct pci_id *id);
/* Puts a function on the bus. False: its number is taken or the bus is full. */
bool pci_attach(struct pci_bus *b, struct pci_function *f);
/* The line of a device's interrupt pin: 1 INTA# - 4 INTD#. Pin p of device d is PIRQ (d + p - 2)
 * mod 4 as PC boards with device 1 as the ISA bridge wire it. */
struct irq_line pci_intx(struct pci_bus *b, unsigned device, unsigned pin);

static inline uint16_t pci_get16(const struct pci_function *f, unsigned at) {
    return (uint16_t)(f->config[at] | f->config[at + 1] << 8);
}
static inline uint32_t pci_get32(const struct pci_function *f, unsigned at) {
    return pci_get16(f, at) | (uint32_t)pci_get16(f, at + 2) << 16;
}
static inline void pci_put16(uint8_t *space, unsigned at, uint16_t value) {
    space[at] = (uint8_t)value;
    space[at + 1] = (uint8_t)(value >> 8);
}
static inline void pci_put32(uint8_t *space, unsigned at, uint32_t value) {
    pci_put16(space, at, (uint16_t)value);
    pci_put16(space, at + 2, (uint16_t)(value >> 16));
}

#endif
