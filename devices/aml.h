/*
 * Emits ACPI machine language: ACPI 6.5 chapter 20 (encoding) and section 6.4 (resources).
 *
 * Terms with a length are begun and ended; lengths always take the two-byte form, so such a term
 * may have up to 4095 bytes. An emitter whose buffer is full stops writing and says so in `full`.
 */
#ifndef DEVICES_AML_H
#define DEVICES_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
    uint8_t *buf;
    size_t len, size;
    bool full;
};

void aml_byte(struct aml *a, uint8_t value);
void aml_word(struct aml *a, uint16_t value);
void aml_dword(struct aml *a, uint32_t value);

/* Terms; name is four characters. begin returns where the length stands: what end wants. */
size_t aml_begin_scope(struct aml *a, const char *name);
size_t aml_begin_device(struct aml *a, const char *name);
size_t aml_begin_package(struct aml *a, uint8_t elements);
void aml_end(struct aml *a, size_t at);
/* Name (name, ...): the value must follow. */
void aml_name(struct aml *a, const char *name);
void aml_integer(struct aml *a, uint32_t value);
/* A PNP id such as "PNP0A03" as an integer (section 19.3.4, EISAID). */
void aml_eisa_id(struct aml *a, const char *id);

/* Name (_CRS, ResourceTemplate () { ... }). */
size_t aml_begin_resources(struct aml *a);
void aml_end_resources(struct aml *a, size_t at);
void aml_io(struct aml *a, uint16_t base, uint8_t count);
void aml_irq(struct aml *a, unsigned irq);
void aml_bus_numbers(struct aml *a, uint16_t first, uint16_t last);
void aml_io_window(struct aml *a, uint16_t first, uint16_t last);
void aml_memory_window(struct aml *a, uint32_t first, uint32_t last);

#endif
