/* ACPI tables; see acpi_tables.h. Section numbers are of ACPI 6.5. */
#include "devices/acpi_tables.h"

#include "devices/aml.h"
#include "devices/piix4_pm.h"
#include "host/host.h"

#define FACS_AT      0x40u
#define FACS_BYTES   64u
#define TABLES_AT    0x80u
#define HEADER_BYTES 36u
#define FADT_BYTES   244u

#define LAST_PCI_SLOT 7u
#define PCI_HOLE_END  0xfebfffffu

/* -- DSDT -- */

static void put_isa_device(struct aml *a, const char *name, const char *id, unsigned uid,
                           const uint16_t *ports, uint8_t port_bytes, unsigned irq) {
    size_t device = aml_begin_device(a, name);
    aml_name(a, "_HID");
    aml_eisa_id(a, id);
    if (uid) {
        aml_name(a, "_UID");
        aml_integer(a, uid);
    }
    size_t crs = aml_begin_resources(a);
    for (; ports && *ports; ports++)
        aml_io(a, *ports, port_bytes);
    aml_irq(a, irq);
    aml_end_resources(a, crs);
    aml_end(a, device);
}

static void put_isa_bridge(struct aml *a, const struct acpi_config *config) {
    static const uint16_t rtc[] = {0x70, 0}, keyboard[] = {0x60, 0x64, 0};
    static const uint16_t serial[4][2] = {{0x3f8, 0}, {0x2f8, 0}, {0x3e8, 0}, {0x2e8, 0}};
    char com[] = "COM1";

    size_t bridge = aml_begin_device(a, "ISA_");
    aml_name(a, "_ADR");
    aml_integer(a, 0x00010000);
    put_isa_device(a, "RTC_", "PNP0B00", 0, rtc, 2, 8);
    put_isa_device(a, "KBD_", "PNP0303", 0, keyboard, 1, 1);
    put_isa_device(a, "MOU_", "PNP0F13", 0, NULL, 0, 12);
    for (unsigned i = 0; i < 4; i++) {
        com[3] = (char)('1' + i);
        if (config->serial_mask & 1u << i)
            put_isa_device(a, com, "PNP0501", i + 1, serial[i], 8, i % 2 ? 3 : 4);
    }
    aml_end(a, bridge);
}

/* _PRT (section 6.2.13): each pin of each slot goes straight to an interrupt of the 8259 pair, as
 * piix3_reset routes the PIRQs; slot 1 pin A is the SCI. */
static void put_interrupt_routes(struct aml *a) {
    aml_name(a, "_PRT");
    size_t table = aml_begin_package(a, LAST_PCI_SLOT * 4);
    for (unsigned slot = 1; slot <= LAST_PCI_SLOT; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            unsigned irq = (slot + pin - 1) % 4 < 2 ? 10 : 11;
            size_t route = aml_begin_package(a, 4);
            aml_integer(a, slot << 16 | 0xffff);
            aml_integer(a, pin);
            aml_integer(a, 0);
            aml_integer(a, slot == 1 && pin == 0 ? PM_SCI_IRQ : irq);
            aml_end(a, route);
        }
    }
    aml_end(a, table);
}

static void put_pci_root(struct aml *a, const struct acpi_config *config) {
    size_t root = aml_begin_device(a, "PCI0");
    aml_name(a, "_HID");
    aml_eisa_id(a, "PNP0A03");
    aml_name(a, "_ADR");
    aml_integer(a, 0);
    size_t crs = aml_begin_resources(a);
    aml_bus_numbers(a, 0, 0xff);
    aml_io(a, 0xcf8, 8);
    aml_io_window(a, 0, 0xcf7);
    aml_io_window(a, 0xd00, 0xffff);
    aml_memory_window(a, 0xa0000, 0xbffff);
    aml_memory_window(a, (uint32_t)config->ram_bytes, PCI_HOLE_END);
    aml_end_resources(a, crs);
    put_interrupt_routes(a);
    put_isa_bridge(a, config);
    aml_end(a, root);
}

static void put_definitions(struct aml *a, const struct acpi_config *config) {
    size_t scope = aml_begin_scope(a, "_SB_");
    put_pci_root(a, config);
    aml_end(a, scope);

    /* Soft-off: SLP_TYP 0 (section 7.4.2). */
    aml_name(a, "_S5_");
    size_t s5 = aml_begin_package(a, 4);
    for (unsigned i = 0; i < 4; i++)
        aml_integer(a, 0);
    aml_end(a, s5);
}

/* -- tables -- */

static void put16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value) {
    put16(p, (uint16_t)value);
    put16(p + 2, (uint16_t)(value >> 16));
}

/* A field of n characters, without a terminator. */
static void put_text(uint8_t *p, const char *text, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)text[i];
}

/* The byte that makes n bytes add up to zero. */
static uint8_t checksum(const uint8_t *p, size_t n) {
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + p[i]);
    return (uint8_t)-sum;
}

/* Section 5.2.6; after the body, for the checksum. */
static void finish_table(uint8_t *p, const char *signature, size_t bytes, uint8_t revision) {
    put_text(p, signature, 4);
    put32(p + 4, (uint32_t)bytes);
    p[8] = revision;
    p[9] = 0;
    put_text(p + 10,
             "RINGON"
             "RINGONE ",
             14); /* OEM and OEM table id */
    put32(p + 24, 1);
    put_text(p + 28, "RING", 4);
    put32(p + 32, 1);
    p[9] = checksum(p, bytes);
}

/* Section 5.2.9. */
static void put_fadt(uint8_t *p, uint32_t facs, uint32_t dsdt, const struct acpi_config *config) {
    enum { WBINVD = 1 << 0, PROC_C1 = 1 << 2, PWR_BUTTON = 1 << 4, SLP_BUTTON = 1 << 5 };
    enum { FIX_RTC = 1 << 6, RESET_REG_SUP = 1 << 10 };
    enum { LEGACY_DEVICES = 1 << 0, HAS_8042 = 1 << 1, NO_VGA = 1 << 2 };

    put32(p + 36, facs);
    put32(p + 40, dsdt);
    p[45] = 1; /* desktop */
    put16(p + 46, PM_SCI_IRQ);
    put32(p + 48, PM_SMI_CMD);
    p[52] = PM_ACPI_ENABLE;
    p[53] = PM_ACPI_DISABLE;
    put32(p + 56, config->pm_base + PM1_STS);
    put32(p + 64, config->pm_base + PM1_CNT);
    put32(p + 76, config->pm_base + PM_TMR);
    p[88] = 4; /* PM1_EVT_LEN, PM1_CNT_LEN, PM_TMR_LEN */
    p[89] = 2;
    p[91] = 4;
    put16(p + 96, 0xfff); /* latencies of C2 and C3: not supported */
    put16(p + 98, 0xfff);
    p[108] = 0x32; /* RTC century */
    put16(p + 109, LEGACY_DEVICES | HAS_8042 | (config->vga ? 0 : NO_VGA));
    /* No power or sleep button is wired, nor an RTC wake-up. */
    put32(p + 112, WBINVD | PROC_C1 | PWR_BUTTON | SLP_BUTTON | FIX_RTC | RESET_REG_SUP);
    p[116] = 1; /* RESET_REG: system I/O, 8 bits, byte access, CF9h */
    p[117] = 8;
    p[119] = 1;
    put32(p + 120, 0xcf9);
    p[128] = 0x06;
    finish_table(p, "FACP", FADT_BYTES, 3);
}

/* Section 5.2.5.3, revision 0. */
static void put_rsdp(uint8_t *p, uint32_t rsdt) {
    put_text(p, "RSD PTR ", 8);
    put_text(p + 9, "RINGON", 6);
    put32(p + 16, rsdt);
    p[8] = checksum(p, 20);
}

size_t acpi_tables_build(uint8_t *buf, const struct acpi_config *config) {
    const size_t rsdt = TABLES_AT, rsdt_bytes = HEADER_BYTES + 4;
    const size_t fadt = (rsdt + rsdt_bytes + 15) & ~(size_t)15;
    const size_t dsdt = (fadt + FADT_BYTES + 15) & ~(size_t)15;
    memset(buf, 0, ACPI_TABLES_BYTES);

    struct aml aml = {.buf = buf + dsdt + HEADER_BYTES,
                      .size = ACPI_TABLES_BYTES - dsdt - HEADER_BYTES};
    put_definitions(&aml, config);
    if (aml.full)
        return 0;
    finish_table(buf + dsdt, "DSDT", HEADER_BYTES + aml.len, 1);

    put_fadt(buf + fadt, config->base + FACS_AT, config->base + (uint32_t)dsdt, config);
    put32(buf + rsdt + HEADER_BYTES, config->base + (uint32_t)fadt);
    finish_table(buf + rsdt, "RSDT", rsdt_bytes, 1);
    put_text(buf + FACS_AT, "FACS", 4); /* section 5.2.10 */
    put32(buf + FACS_AT + 4, FACS_BYTES);
    put_rsdp(buf, config->base + (uint32_t)rsdt);
    return dsdt + HEADER_BYTES + aml.len;
}
