/* What a Multiboot loader promises: magic, memory information, A20 open, the modules and command
 * line flags being consistent (Multiboot Specification 0.6.96, 3.2 and 3.3). */
#include "guest.h"

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr;
};

void guest_main(void) {
    const struct multiboot_info *info = (const struct multiboot_info *)boot_info;
    printf("magic %08x\n", boot_magic);
    printf("memory fields %d, lower %s, upper %s\n", info->flags & 1,
           info->mem_lower >= 512 && info->mem_lower <= 640 ? "in range" : "out of range",
           info->mem_upper >= 60 * 1024 && info->mem_upper <= 63 * 1024 ? "in range"
                                                                        : "out of range");
    volatile uint32_t *low = (volatile uint32_t *)0x7000, *high = (volatile uint32_t *)0x107000;
    uint32_t saved = *high;
    *low = 0x13579BDF;
    *high = 0x2468ACE0;
    printf("A20 %s\n", *low == 0x13579BDF ? "open" : "closed");
    *high = saved;
    if (info->flags & 0x40) {
        uint64_t ram = 0;
        for (uint32_t at = info->mmap_addr; at < info->mmap_addr + info->mmap_length;) {
            const uint32_t *e = (const uint32_t *)at; /* size, base (64), length (64), type */
            if (e[5] == 1)
                ram += (uint64_t)e[4] << 32 | e[3];
            at += e[0] + 4;
        }
        printf("map: %s\n", ram > 62u << 20 && ram <= 64u << 20 ? "about 64 MiB of RAM" : "wrong");
    } else {
        printf("map: missing\n");
    }
    /* All of RAM really is there. */
    uint32_t wrong = 0;
    for (uint32_t a = 0x01000000; a < 0x03F00000; a += 0x10000)
        *(volatile uint32_t *)a = ~a;
    for (uint32_t a = 0x01000000; a < 0x03F00000; a += 0x10000)
        wrong += *(volatile uint32_t *)a != ~a;
    printf("RAM: %u wrong\n", wrong);
}
