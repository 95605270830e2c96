/*
 * The address space of the ring-0 host, and the selectors of its GDT. Read by C, assembly and the
 * linker script.
 *
 *   0                      guest user code, while it runs natively: its window once more
 *   WINDOWS_BASE           guest windows, 8 GiB apart: 4 GiB, then 4 GiB of guard
 *   DIRECT_MAP             all physical memory, at DIRECT_MAP + address, not executable
 *   HEAP_BASE              host_alloc: mapped when first touched
 *   STACK16_BASE           4 GiB that show one frame again and again (stack16.c)
 *   KERNEL_BASE            this program, at KERNEL_BASE + physical address
 *
 * Only the first 4 GiB and the windows are mapped for ring 3, which cannot address more; rings 0
 * and 1 are both "supervisor" for paging (Intel SDM vol. 3A section 4.6).
 */
#ifndef HOST_RING0_LAYOUT_H
#define HOST_RING0_LAYOUT_H

#define KERNEL_PHYSICAL 0x100000
#define KERNEL_BASE     0xffffffff80000000

#define DIRECT_MAP   0xffff800000000000
#define HEAP_BASE    0xffff900000000000
#define HEAP_BYTES   0x0000008000000000
#define STACK16_BASE 0xffffb00000000000
#define WINDOWS_BASE 0x0000010000000000
#define WINDOW_SHIFT 33 /* log2 of the stride */
#define WINDOWS_MAX  32
#define WINDOWS_END  0x0000014000000000

/* Physical memory that the trampoline maps, at KERNEL_BASE and at DIRECT_MAP. */
#define BOOT_MAP_BYTES 0x40000000

/* Our selectors end the GDT, to leave the rest to those of guest user code (user.c). */
#define GDT_ENTRIES 8192
#define SEL_CODE0   0xffc0
#define SEL_DATA0   0xffc8
#define SEL_CODE1   0xffd1 /* with RPL 1 */
#define SEL_DATA1   0xffd9
#define SEL_TSS     0xffe0
#define SEL_LDT     0xfff0

/* In the trampoline's GDT. */
#define SEL_BOOT_CODE 0x08
#define SEL_BOOT_DATA 0x10

/* Interrupt vectors: exceptions below 20h (Intel SDM vol. 3A section 6.3.1). */
#define VECTOR_PIC      0x20
#define VECTOR_TIMER    0x40
#define VECTOR_SERVICE  0x80 /* the one gate that ring 1 may call */
#define VECTOR_SPURIOUS 0xff

#ifndef __ASSEMBLER__
#include <stdint.h>

static inline void *direct_map(uint64_t physical) {
    return (void *)(uintptr_t)(DIRECT_MAP + physical);
}
#endif

#endif
