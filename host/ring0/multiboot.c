/*
 * Reading the Multiboot information (multiboot.h). Only the trampoline's mapping exists yet: all
 * that is looked at must lie below BOOT_MAP_BYTES.
 */
#include "host/ring0/multiboot.h"

#include <stddef.h>

#include "host/host.h"
#include "host/ring0/layout.h"

enum { FLAG_MODULES = 1u << 3, FLAG_MAP = 1u << 6, MAP_RAM = 1 };

struct information {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
};

struct module {
    uint32_t start, end, string, reserved;
};

struct map_entry {
    uint32_t size; /* of what follows */
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

static const void *look(uint32_t physical, uint64_t bytes) {
    if (physical == 0 || physical + bytes > BOOT_MAP_BYTES)
        return NULL;
    return direct_map(physical);
}

static const char *read_map(const struct information *mb, struct boot_info *info) {
    const uint8_t *p = look(mb->mmap_addr, mb->mmap_length);
    uint32_t at = 0;

    if (!(mb->flags & FLAG_MAP) || !p)
        return "the boot loader gives no memory map";
    while (mb->mmap_length - at >= sizeof(struct map_entry)) {
        struct map_entry e;
        memcpy(&e, p + at, sizeof e);
        if (e.type == MAP_RAM && e.base + e.length > e.base && info->range_count < BOOT_RANGES)
            info->ranges[info->range_count++] = (struct boot_range){e.base, e.base + e.length};
        if (e.size > mb->mmap_length - at - sizeof e.size)
            break;
        at += e.size + (uint32_t)sizeof e.size;
    }
    return info->range_count ? NULL : "the boot loader's memory map has no memory";
}

static const char *read_modules(const struct information *mb, struct boot_info *info) {
    if (!(mb->flags & FLAG_MODULES) || mb->mods_count == 0)
        return NULL;
    if (mb->mods_count > BOOT_MODULES)
        return "more than 32 boot modules";
    const struct module *m = look(mb->mods_addr, mb->mods_count * sizeof *m);
    if (!m)
        return "the list of boot modules is out of reach";
    for (uint32_t n = 0; n < mb->mods_count; n++) {
        struct boot_module *out = &info->modules[info->module_count++];
        if (m[n].end < m[n].start)
            return "a boot module ends before it starts";
        out->at = (struct boot_range){m[n].start, m[n].end};
        const char *text = look(m[n].string, BOOT_TEXT);
        for (unsigned i = 0; text && i < BOOT_TEXT - 1 && text[i]; i++)
            out->text[i] = text[i];
    }
    return NULL;
}

const char *multiboot_read(uint32_t physical, struct boot_info *info) {
    const struct information *mb = look(physical, sizeof *mb);

    if (!mb)
        return "the boot loader's information is out of reach";
    const char *trouble = read_map(mb, info);
    return trouble ? trouble : read_modules(mb, info);
}
