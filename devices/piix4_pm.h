/*
 * PIIX4 power management, 8086:7113, as function 3 of PCI device 1: the ACPI fixed hardware and the
 * SMI command port.
 *
 * Intel 82371AB data sheet (order 290562) chapter 7; ACPI 6.5 section 4.8. The registers stand at
 * 600h unless software moves them (PMBA, configuration 40h). There is no SMM: a command written to
 * B2h acts at once.
 */
#ifndef DEVICES_PIIX4_PM_H
#define DEVICES_PIIX4_PM_H

#include "devices/pci.h"
#include "vmm/clock.h"

#define PM_BASE     0x600u
#define PM_TIMER_HZ 3579545u
#define PM_SCI_IRQ  9u

/* Offsets from PM_BASE. */
#define PM1_STS 0x00u
#define PM1_EN  0x02u
#define PM1_CNT 0x04u
#define PM_TMR  0x08u

/* Where and with what ACPI is switched on. */
#define PM_SMI_CMD      0xb2u
#define PM_ACPI_ENABLE  0xf1u
#define PM_ACPI_DISABLE 0xf0u

struct piix4_pm {
    struct pci_function pci;
    struct vm *vm;
    struct vclock *clock;
    struct vtimer timer;
    struct irq_line sci;
    uint16_t sts, en, cnt;
    uint64_t toggles;   /* of the timer's top bit, as far as they are in sts */
    uint32_t mapped_at; /* port the registers are at, 0: not on the bus */
    uint8_t apm[2];     /* B2h, B3h */
};

/* sci: level, active high at the PIC. False: a port or the PCI function is taken. */
bool piix4_pm_create(struct piix4_pm *p, struct vm *vm, struct pci_bus *bus, struct vclock *clock,
                     struct irq_line sci);
void piix4_pm_reset(struct piix4_pm *p);

#endif
