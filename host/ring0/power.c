/*
 * Switching off (power.h): the debug port if the launcher has fitted one, else ACPI's S5 state
 * through the PIIX4's power management function (Intel 82371AB datasheet, section 7.2, PMCNTRL), as
 * QEMU's and Bochs's PC have it.
 */
#include "host/ring0/power.h"

#include "host/ring0/cpu_ops.h"
#include "host/ring0/serial.h"

enum {
    PCI_ADDRESS = 0xcf8,
    PCI_DATA = 0xcfc,
    PCI_SLOTS = 32,
    PCI_FUNCTIONS = 8,
    PMBA = 0x40, /* base of the power management registers */
    PMBA_MASK = 0xffc0,
    PMCNTRL = 4,
    SUS_EN = 1 << 13, /* suspend type 0: soft off */
};

#define PIIX4_PM 0x71138086u /* device and vendor */

static uint16_t exit_port;

void power_set_exit_port(uint16_t port) {
    exit_port = port;
}

static uint32_t pci_read(unsigned slot, unsigned function, unsigned reg) {
    out32(PCI_ADDRESS, 1u << 31 | slot << 11 | function << 8 | reg);
    return in32(PCI_DATA);
}

void power_off(unsigned status) {
    serial_drain();
    if (exit_port)
        out32(exit_port, POWER_EXIT_MARK + status);
    for (unsigned slot = 0; status == POWER_OK && slot < PCI_SLOTS; slot++)
        for (unsigned function = 0; function < PCI_FUNCTIONS; function++)
            if (pci_read(slot, function, 0) == PIIX4_PM)
                out16((uint16_t)((pci_read(slot, function, PMBA) & PMBA_MASK) + PMCNTRL), SUS_EN);
    for (;;)
        __asm__ volatile("cli\n\thlt");
}
