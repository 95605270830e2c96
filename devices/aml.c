/* AML emitter; see aml.h. Names of encodings as in ACPI 6.5 chapter 20. */
#include "devices/aml.h"

#define NAME_OP      0x08
#define BYTE_PREFIX  0x0a
#define WORD_PREFIX  0x0b
#define DWORD_PREFIX 0x0c
#define SCOPE_OP     0x10
#define BUFFER_OP    0x11
#define PACKAGE_OP   0x12
#define EXT_PREFIX   0x5b
#define DEVICE_OP    0x82

#define RESOURCE_IRQ   0x22 /* small item 4, two bytes: edge, high */
#define RESOURCE_IO    0x47 /* small item 8, seven bytes */
#define RESOURCE_END   0x79
#define RESOURCE_DWORD 0x87
#define RESOURCE_WORD  0x88
#define SPACE_MEMORY   0
#define SPACE_IO       1
#define SPACE_BUS      2
#define FIXED_RANGE    0x0c /* both ends fixed, positive decode, producer */

void aml_byte(struct aml *a, uint8_t value) {
    if (a->len == a->size) {
        a->full = true;
        return;
    }
    a->buf[a->len++] = value;
}

void aml_word(struct aml *a, uint16_t value) {
    aml_byte(a, (uint8_t)value);
    aml_byte(a, (uint8_t)(value >> 8));
}

void aml_dword(struct aml *a, uint32_t value) {
    aml_word(a, (uint16_t)value);
    aml_word(a, (uint16_t)(value >> 16));
}

static void name_seg(struct aml *a, const char *name) {
    for (unsigned i = 0; i < 4; i++)
        aml_byte(a, (uint8_t)name[i]);
}

/* Room for the PkgLength that aml_end fills in. */
static size_t begin(struct aml *a) {
    size_t at = a->len;
    aml_word(a, 0);
    return at;
}

void aml_end(struct aml *a, size_t at) {
    if (a->full)
        return;
    size_t n = a->len - at;
    a->buf[at] = (uint8_t)(0x40 | (n & 15));
    a->buf[at + 1] = (uint8_t)(n >> 4);
}

size_t aml_begin_scope(struct aml *a, const char *name) {
    aml_byte(a, SCOPE_OP);
    size_t at = begin(a);
    name_seg(a, name);
    return at;
}

size_t aml_begin_device(struct aml *a, const char *name) {
    aml_byte(a, EXT_PREFIX);
    aml_byte(a, DEVICE_OP);
    size_t at = begin(a);
    name_seg(a, name);
    return at;
}

size_t aml_begin_package(struct aml *a, uint8_t elements) {
    aml_byte(a, PACKAGE_OP);
    size_t at = begin(a);
    aml_byte(a, elements);
    return at;
}

void aml_name(struct aml *a, const char *name) {
    aml_byte(a, NAME_OP);
    name_seg(a, name);
}

void aml_integer(struct aml *a, uint32_t value) {
    if (value <= 1) {
        aml_byte(a, (uint8_t)value); /* ZeroOp, OneOp */
    } else if (value <= 0xff) {
        aml_byte(a, BYTE_PREFIX);
        aml_byte(a, (uint8_t)value);
    } else if (value <= 0xffff) {
        aml_byte(a, WORD_PREFIX);
        aml_word(a, (uint16_t)value);
    } else {
        aml_byte(a, DWORD_PREFIX);
        aml_dword(a, value);
    }
}

static unsigned hex_digit(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hexadecimal digits, as two big-endian words. */
void aml_eisa_id(struct aml *a, const char *id) {
    unsigned letters = (id[0] & 31u) << 10 | (id[1] & 31u) << 5 | (id[2] & 31u);
    aml_byte(a, DWORD_PREFIX);
    aml_byte(a, (uint8_t)(letters >> 8));
    aml_byte(a, (uint8_t)letters);
    aml_byte(a, (uint8_t)(hex_digit(id[3]) << 4 | hex_digit(id[4])));
    aml_byte(a, (uint8_t)(hex_digit(id[5]) << 4 | hex_digit(id[6])));
}

/* -- resources -- */

#define BUFFER_SIZE_AT 2u /* after PkgLength: WordPrefix and the buffer's size */

size_t aml_begin_resources(struct aml *a) {
    aml_name(a, "_CRS");
    aml_byte(a, BUFFER_OP);
    size_t at = begin(a);
    aml_byte(a, WORD_PREFIX);
    aml_word(a, 0);
    return at;
}

void aml_end_resources(struct aml *a, size_t at) {
    aml_byte(a, RESOURCE_END);
    aml_byte(a, 0); /* no checksum */
    aml_end(a, at);
    if (a->full)
        return;
    size_t n = a->len - (at + BUFFER_SIZE_AT + 3);
    a->buf[at + BUFFER_SIZE_AT + 1] = (uint8_t)n;
    a->buf[at + BUFFER_SIZE_AT + 2] = (uint8_t)(n >> 8);
}

void aml_io(struct aml *a, uint16_t base, uint8_t count) {
    aml_byte(a, RESOURCE_IO);
    aml_byte(a, 1); /* decodes 16 bits */
    aml_word(a, base);
    aml_word(a, base);
    aml_byte(a, 1);
    aml_byte(a, count);
}

void aml_irq(struct aml *a, unsigned irq) {
    aml_byte(a, RESOURCE_IRQ);
    aml_word(a, (uint16_t)(1u << irq));
}

static void word_window(struct aml *a, uint8_t space, uint8_t flags, uint16_t first,
                        uint16_t last) {
    aml_byte(a, RESOURCE_WORD);
    aml_word(a, 13);
    aml_byte(a, space);
    aml_byte(a, FIXED_RANGE);
    aml_byte(a, flags);
    aml_word(a, 0); /* granularity */
    aml_word(a, first);
    aml_word(a, last);
    aml_word(a, 0); /* translation */
    aml_word(a, (uint16_t)(last - first + 1));
}

void aml_bus_numbers(struct aml *a, uint16_t first, uint16_t last) {
    word_window(a, SPACE_BUS, 0, first, last);
}

void aml_io_window(struct aml *a, uint16_t first, uint16_t last) {
    word_window(a, SPACE_IO, 3, first, last); /* ISA and other addresses */
}

void aml_memory_window(struct aml *a, uint32_t first, uint32_t last) {
    aml_byte(a, RESOURCE_DWORD);
    aml_word(a, 23);
    aml_byte(a, SPACE_MEMORY);
    aml_byte(a, FIXED_RANGE);
    aml_byte(a, 1); /* writable, not cacheable */
    aml_dword(a, 0);
    aml_dword(a, first);
    aml_dword(a, last);
    aml_dword(a, 0);
    aml_dword(a, last - first + 1);
}
