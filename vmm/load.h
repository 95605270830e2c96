/*
 * Starting a kernel without firmware: what the two boot protocols share. load_kernel looks at the
 * bytes and picks Linux (load_linux.h) or Multiboot (load_multiboot.h).
 *
 * The files are untrusted: every size and offset in them is checked before use. No part of a kernel
 * is written to the guest before all of it has been checked.
 */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/x86.h"

struct vm;

/* A file's bytes, anywhere in host memory. A module's may be elsewhere: then data is NULL. */
struct load_blob {
    const uint8_t *data;
    uint64_t size;
};

/* A Linux initrd (the first one only) or a Multiboot module. */
struct load_module {
    struct load_blob blob;
    const char *args; /* the module's command line; Linux: unused */
};

struct load_request {
    struct load_blob kernel;
    const char *kernel_name; /* first word of a Multiboot command line */
    const char *cmdline;
    const struct load_module *modules;
    unsigned module_count;
    /* Reads all of the n-th module, whose blob has no data, to `to`. False: it cannot be read. */
    bool (*read_module)(void *context, unsigned n, uint8_t *to);
    void *context;
};

enum load_status {
    LOAD_OK,
    LOAD_EMPTY,
    LOAD_UNKNOWN,
    LOAD_TRUNCATED,
    LOAD_64BIT,
    LOAD_LINUX_OLD,
    LOAD_LINUX_LOW,
    LOAD_LINUX_INITRDS,
    LOAD_MULTIBOOT_FEATURE,
    LOAD_MULTIBOOT_ADDRESSES,
    LOAD_ELF_MALFORMED,
    LOAD_ELF_MACHINE,
    LOAD_ELF_ENTRY,
    LOAD_ELF_PLACE,
    LOAD_CMDLINE_TOO_LONG,
    LOAD_KERNEL_TOO_BIG,
    LOAD_INITRD_TOO_BIG,
    LOAD_INITRD_LOST,
    LOAD_STATUS_COUNT
};

/* What went wrong, as a clause about "the kernel" or "the initrd" without full stop. */
const char *load_status_text(enum load_status s);

/* Puts the kernel and its modules into RAM and sets the vCPU, just reset, to its entry point. */
enum load_status load_kernel(struct vm *vm, const struct load_request *r);

/* -- for the two protocols -- */

/* The PC's memory map, as BIOS function E820 would give it. */
enum { E820_RAM = 1, E820_RESERVED = 2, E820_MAX = 8 };
struct e820_entry {
    uint64_t base, size;
    uint32_t type;
};
/* Fills map; returns how many entries. */
unsigned load_e820(const struct vm *vm, struct e820_entry map[E820_MAX]);

/* Conventional memory ends here: the extended BIOS data area begins. */
#define LOAD_LOW_TOP   0x9fc00u
#define LOAD_HIGH_BASE 0x100000u

/* BIOS data area fields that kernels read: base memory size, EBDA segment, COM1's port. */
void load_bios_data(struct vm *vm);

/* Puts the n-th module at gpa, where its size has been found to fit RAM. LOAD_OK or
 * LOAD_INITRD_LOST. */
enum load_status load_put_module(struct vm *vm, const struct load_request *r, unsigned n,
                                 gpa_t gpa);

/* Clears guest memory. */
void load_zero(struct vm *vm, gpa_t gpa, uint64_t n);

/*
 * 32-bit protected mode without paging, interrupts off, all segments flat with the given selectors,
 * and a GDT holding them at gdt (32 bytes of RAM): null, null, code at 10h, data at 18h for Linux's
 * fixed selectors; Multiboot leaves the choice to us and uses the same.
 */
enum { LOAD_CS = 0x10, LOAD_DS = 0x18, LOAD_GDT_BYTES = 32 };
void load_flat_cpu(struct vm *vm, gpa_t gdt, uint32_t entry);

/* Little-endian fields of a file. The caller has checked the bounds. */
static inline uint16_t load_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t load_u32(const uint8_t *p) {
    return load_u16(p) | (uint32_t)load_u16(p + 2) << 16;
}
static inline void load_put32(uint8_t *p, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

/* Length without the NUL. */
uint64_t load_strlen(const char *s);

#endif
