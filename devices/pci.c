/* PCI configuration mechanism 1; see pci.h. */
#include "devices/pci.h"

#include <stddef.h>

#define CONFIG_ENABLE 0x80000000u
#define CONFIG_DATA   4u
#define RESET_CONTROL 1u

static struct pci_function *selected(const struct pci_bus *b) {
    unsigned busno = b->address >> 16 & 0xff, devfn = b->address >> 8 & 0xff;
    if (!(b->address & CONFIG_ENABLE) || busno != 0)
        return NULL;
    for (unsigned i = 0; i < b->count; i++)
        if (b->function[i]->devfn == devfn)
            return b->function[i];
    return NULL;
}

static uint32_t config_read(const struct pci_function *f, unsigned at, unsigned size) {
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)f->config[at + i] << 8 * i;
    return value;
}

static void config_write(struct pci_function *f, unsigned at, unsigned size, uint32_t value) {
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = f->wmask[at + i];
        uint8_t byte = (uint8_t)(value >> 8 * i);
        f->config[at + i] = (uint8_t)((f->config[at + i] & ~mask) | (byte & mask));
    }
    if (f->written)
        f->written(f->dev, at, size);
}

/* Only a doubleword at CF8h is the address register; the byte at CF9h is another register, and any
 * other access below CFCh belongs to nobody. */
static uint32_t pci_read(void *dev, uint16_t offset, unsigned size) {
    const struct pci_bus *b = dev;
    if (offset == 0 && size == 4)
        return b->address;
    if (offset == RESET_CONTROL && size == 1)
        return b->reset_value;
    if (offset < CONFIG_DATA)
        return UINT32_MAX;
    const struct pci_function *f = selected(b);
    return f ? config_read(f, (b->address & 0xfc) + (offset - CONFIG_DATA), size) : UINT32_MAX;
}

static void pci_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct pci_bus *b = dev;
    if (offset == 0 && size == 4) {
        b->address = value & (CONFIG_ENABLE | 0x00fffffc);
    } else if (offset == RESET_CONTROL && size == 1) {
        b->reset_value = value & 0x0e;
        if (b->reset_control)
            b->reset_control(b->reset_dev, (uint8_t)value);
    } else if (offset >= CONFIG_DATA) {
        struct pci_function *f = selected(b);
        if (f)
            config_write(f, (b->address & 0xfc) + (offset - CONFIG_DATA), size, value);
    }
}

static const struct pio_ops pci_ops = {pci_read, pci_write, 1 | 2 | 4};

bool pci_create(struct pci_bus *b, struct bus *bus) {
    *b = (struct pci_bus){0};
    return bus_map_pio(bus, 0xcf8, 8, &pci_ops, b);
}

void pci_reset(struct pci_bus *b) {
    b->address = 0;
    b->reset_value = 0;
}

void pci_function_init(struct pci_function *f, unsigned devfn, const struct pci_id *id) {
    *f = (struct pci_function){.devfn = devfn};
    pci_put16(f->config, PCI_VENDOR, id->vendor);
    pci_put16(f->config, PCI_DEVICE, id->device);
    pci_put32(f->config, PCI_REVISION, id->class_code << 8 | id->revision);
}

bool pci_attach(struct pci_bus *b, struct pci_function *f) {
    if (b->count == PCI_FUNCTIONS)
        return false;
    for (unsigned i = 0; i < b->count; i++)
        if (b->function[i]->devfn == f->devfn)
            return false;
    b->function[b->count++] = f;
    return true;
}

struct irq_line pci_intx(struct pci_bus *b, unsigned device, unsigned pin) {
    return irq_or_input(&b->intx[(device + pin + 2) % 4], device);
}
