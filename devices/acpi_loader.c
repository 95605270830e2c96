/* Commands for loading ACPI tables; see acpi_loader.h. */
#include "devices/acpi_loader.h"

#include "host/host.h"

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_F_SEGMENT = 2, NAME_BYTES = 56 };

/* Where pointers and checksums are: ACPI 6.5 sections 5.2.5.3, 5.2.6, 5.2.9. */
enum { RSDP_CHECKSUM = 8, RSDP_RSDT = 16, TABLE_LENGTH = 4, TABLE_CHECKSUM = 9 };
enum { RSDT_FIRST = 36, FADT_FACS = 36, FADT_DSDT = 40 };

static void put32(uint8_t *p, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint8_t *put_name(uint8_t *p, const char *name) {
    for (unsigned i = 0; name[i] != '\0'; i++)
        p[i] = (uint8_t)name[i];
    return p + NAME_BYTES;
}

static uint8_t *allocate(uint8_t *out, const char *file, uint32_t align, uint8_t zone) {
    put32(out, ALLOCATE);
    uint8_t *p = put_name(out + 4, file);
    put32(p, align);
    p[4] = zone;
    return out + ACPI_LOADER_COMMAND_BYTES;
}

/* Adds the tables' address to the doubleword at offset of the file. */
static uint8_t *add_pointer(uint8_t *out, const char *file, uint32_t offset) {
    put32(out, ADD_POINTER);
    uint8_t *p = put_name(put_name(out + 4, file), ACPI_LOADER_TABLES);
    put32(p, offset);
    p[4] = 4;
    return out + ACPI_LOADER_COMMAND_BYTES;
}

static uint8_t *add_checksum(uint8_t *out, const char *file, uint32_t at, uint32_t start,
                             uint32_t length) {
    put32(out, ADD_CHECKSUM);
    uint8_t *p = put_name(out + 4, file);
    put32(p, at);
    put32(p + 4, start);
    put32(p + 8, length);
    return out + ACPI_LOADER_COMMAND_BYTES;
}

void acpi_loader_build(const uint8_t *image,
                       uint8_t out[ACPI_LOADER_COMMANDS * ACPI_LOADER_COMMAND_BYTES]) {
    static const char rsdp[] = ACPI_LOADER_RSDP, tables[] = ACPI_LOADER_TABLES;
    uint32_t rsdt = get32(image + RSDP_RSDT), fadt = get32(image + rsdt + RSDT_FIRST);

    memset(out, 0, (size_t)ACPI_LOADER_COMMANDS * ACPI_LOADER_COMMAND_BYTES);
    out = allocate(out, rsdp, 16, ZONE_F_SEGMENT);
    out = allocate(out, tables, 64, ZONE_HIGH);
    out = add_pointer(out, tables, rsdt + RSDT_FIRST);
    out =
        add_checksum(out, tables, rsdt + TABLE_CHECKSUM, rsdt, get32(image + rsdt + TABLE_LENGTH));
    out = add_pointer(out, tables, fadt + FADT_FACS);
    out = add_pointer(out, tables, fadt + FADT_DSDT);
    out =
        add_checksum(out, tables, fadt + TABLE_CHECKSUM, fadt, get32(image + fadt + TABLE_LENGTH));
    out = add_pointer(out, rsdp, RSDP_RSDT);
    add_checksum(out, rsdp, RSDP_CHECKSUM, 0, ACPI_LOADER_RSDP_BYTES);
}
