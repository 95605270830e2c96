/* PIIX3 ISA bridge; see piix3.h. */
#include "devices/piix3.h"

#define PIRQRC     0x60u
#define PIRQ_OFF   0x80u
#define XBCS       0x4eu
#define RC_CPU     0x04u   /* 0 to 1 resets */
#define PIRQ_LEGAL 0xdef8u /* ISA interrupts a PIRQ may go to */
#define LEVEL_IRQS 0x0e00u /* PIRQs, and the SCI */

/* Drives the ISA side of one PIRQ according to its route. */
static void apply_route(struct piix3 *p, unsigned pirq) {
    uint8_t route = p->pci.config[PIRQRC + pirq];
    for (unsigned i = 0; i < 16; i++) {
        bool here = !(route & PIRQ_OFF) && (route & 15u) == i && (PIRQ_LEGAL & 1u << i);
        bool is = p->isa[i].levels & 1u << pirq;
        bool want = here && p->pirq[pirq];
        if (is != want)
            irq_or_set(&p->isa[i], pirq, want);
    }
}

static void set_pirq(void *chip, unsigned pirq, bool level) {
    struct piix3 *p = chip;
    if (p->pirq[pirq] == level)
        return;
    p->pirq[pirq] = level;
    apply_route(p, pirq);
}

static void written(void *dev, unsigned offset, unsigned size) {
    struct piix3 *p = dev;
    for (unsigned i = 0; i < 4; i++)
        if (offset <= PIRQRC + i && PIRQRC + i < offset + size)
            apply_route(p, i);
}

static void reset_control(void *dev, uint8_t value) {
    struct piix3 *p = dev;
    if (value & RC_CPU)
        vm_request_stop(p->vm, VM_STOP_RESET);
}

bool piix3_create(struct piix3 *p, struct vm *vm, struct pci_bus *bus, struct pic *pic) {
    static const struct pci_id id = {0x8086, 0x7000, 0x060100, 0};
    *p = (struct piix3){.vm = vm, .bus = bus};
    pci_function_init(&p->pci, PCI_DEVFN(1, 0), &id);
    p->pci.config[PCI_HEADER] = PCI_MULTI;
    p->pci.wmask[XBCS] = p->pci.wmask[XBCS + 1] = 0xff;
    for (unsigned i = 0; i < 4; i++) {
        p->pci.wmask[PIRQRC + i] = 0x8f;
        bus->intx[i].out = (struct irq_line){set_pirq, p, i};
    }
    for (unsigned i = 0; i < 16; i++)
        if (PIRQ_LEGAL & 1u << i)
            p->isa[i].out = pic_input(pic, i);
    p->pci.written = written;
    p->pci.dev = p;
    bus->reset_control = reset_control;
    bus->reset_dev = p;
    piix3_reset(p, pic);
    return pci_attach(bus, &p->pci);
}

struct irq_line piix3_isa_input(struct piix3 *p, unsigned irq) {
    return irq_or_input(&p->isa[irq], 4); /* 0-3 are the PIRQs */
}

void piix3_reset(struct piix3 *p, struct pic *pic) {
    pci_put16(p->pci.config, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_MSTR);
    pci_put16(p->pci.config, PCI_STATUS, 0x0200); /* medium DEVSEL# */
    pci_put16(p->pci.config, XBCS, 0x0003);
    for (unsigned i = 0; i < 4; i++) {
        p->pci.config[PIRQRC + i] = i < 2 ? 10 : 11;
        apply_route(p, i);
    }
    pic_set_elcr(pic, LEVEL_IRQS);
}
