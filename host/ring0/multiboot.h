/*
 * What the boot loader handed over (Multiboot specification 0.6.96, section 3.3), copied out of its
 * memory.
 */
#ifndef HOST_RING0_MULTIBOOT_H
#define HOST_RING0_MULTIBOOT_H

#include <stdbool.h>
#include <stdint.h>

enum { BOOT_RANGES = 32, BOOT_MODULES = 32, BOOT_TEXT = 256 };

struct boot_range {
    uint64_t start, end; /* physical */
};

struct boot_module {
    struct boot_range at;
    char text[BOOT_TEXT]; /* the module's command line, cut off if longer */
};

struct boot_info {
    unsigned range_count, module_count;
    struct boot_range ranges[BOOT_RANGES]; /* usable memory */
    struct boot_module modules[BOOT_MODULES];
};

/* Reads the loader's structure at this physical address. Returns NULL, or what is wrong with it. */
const char *multiboot_read(uint32_t physical, struct boot_info *info);

#endif
