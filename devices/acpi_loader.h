/*
 * How boot firmware is to put the ACPI tables into memory: the commands of the file
 * "etc/table-loader" (devices/fw_cfg.h), for an image that acpi_tables_build has made for base 0.
 *
 *   "etc/acpi/rsdp"    the RSDP, to go below 1 MiB
 *   "etc/acpi/tables"  all tables, to go anywhere
 *
 * The interface is QEMU's (docs/specs/fw_cfg; hw/acpi/bios-linker-loader).
 */
#ifndef DEVICES_ACPI_LOADER_H
#define DEVICES_ACPI_LOADER_H

#include <stdint.h>

#define ACPI_LOADER_RSDP   "etc/acpi/rsdp"
#define ACPI_LOADER_TABLES "etc/acpi/tables"
#define ACPI_LOADER_SCRIPT "etc/table-loader"

enum { ACPI_LOADER_RSDP_BYTES = 20, ACPI_LOADER_COMMANDS = 9, ACPI_LOADER_COMMAND_BYTES = 128 };

/* The commands for this image. */
void acpi_loader_build(const uint8_t *image,
                       uint8_t out[ACPI_LOADER_COMMANDS * ACPI_LOADER_COMMAND_BYTES]);

#endif
