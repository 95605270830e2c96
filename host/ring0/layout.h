/*
 * The address space of the ring-0 host, and the selectors of its GDT. Read by C, assembly and the
 * linker script.
 *
 *   0                      the low 4 GiB are left free
 *   WINDOWS_BASE           guest windows, WINDOW_STRIDE apart: 4 GiB, then 4 GiB of guard
 *   DIRECT_MAP             all physical memory, at DIRECT_MAP + address, not executable
 *   HEAP_BASE              host_alloc: mapped when first touched
 *   KERNEL_BASE            this program, at KERNEL_BASE + physical address
 *
 * Nothing is mapped for ring 3 (U/S is 0 everywhere): rings 0 and 1 are both "supervisor" for
 * paging (Intel SDM vol. 3A section 4.6).
 */
#ifndef HOST_RING0_LAYOUT_H
#define HOST_RING0_LAYOUT_H

#define KERNEL_PHYSICAL 0x100000
#define KERNEL_BASE     0xffffffff80000000

#define DIRECT_MAP   0xffff800000000000
#define HEAP_BASE    0xffff900000000000
#define HEAP_BYTES   0x0000008000000000
#define WINDOWS_BASE 0x0000010000000000
#define WINDOW_SHIFT 33 /* log2 of the stride */

/* Physical memory that the trampoline maps, at KERNEL_BASE and at DIRECT_MAP. */
#define BOOT_MAP_BYTES 0x40000000

#define SEL_CODE0  0x08
#define SEL_DATA0  0x10
#define SEL_CODE1  0x19 /* with RPL 1 */
#define SEL_DATA1  0x21
#define SEL_TSS    0x28
#define SEL_CODE32 0x38 /* trampoline only */

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
