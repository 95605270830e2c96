/*
 * The ACPI tables of the board: RSDP, RSDT, FADT, FACS, DSDT. ACPI 6.5 chapter 5.
 *
 *   E0000h  RSDP   found by its signature on a 16-byte boundary in E0000h-FFFFFh
 *   E0040h  FACS   64-byte aligned, writable by the guest
 *   E0080h  RSDT -> FADT -> DSDT
 *
 * All are ACPI 1.0 tables except FADT (revision 3: it has the reset register). There is no MADT:
 * the 8259 pair is the only interrupt controller.
 */
#ifndef DEVICES_ACPI_TABLES_H
#define DEVICES_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_TABLES_GPA   0xe0000u
#define ACPI_TABLES_BYTES 0x2000u

struct acpi_config {
    uint32_t base;    /* where the image will be: ACPI_TABLES_GPA, or 0 for acpi_loader.h */
    uint16_t pm_base; /* ports of the PIIX4's PM block */
    uint64_t ram_bytes;
    bool vga;            /* software may look for a VGA */
    uint8_t serial_mask; /* serial ports that exist */
};

/* Builds the image that belongs at base into buf of ACPI_TABLES_BYTES. Returns the bytes
 * used, 0 if they did not fit (a defect of this code, not of the guest). */
size_t acpi_tables_build(uint8_t *buf, const struct acpi_config *config);

#endif
