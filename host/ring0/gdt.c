/*
 * The GDT and the one TSS (Intel SDM vol. 3A sections 3.4.5, 8.7). Ring 1 has a 64-bit code segment
 * of DPL 1 and a data segment for its SS. What is for ring 3 comes and goes (user.c).
 *
 * The TSS gives traps from ring 1 their stack, and an I/O bitmap beyond its limit: no port is open
 * to ring 1.
 */
#include "host/ring0/gdt.h"

#include <stddef.h>
#include <stdint.h>

#include "host/host.h"
#include "host/ring0/layout.h"

enum { STACK_BYTES = 32768, IST_STACK_BYTES = 8192, TYPE_LDT = 2, TYPE_TSS = 9 };

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* IST 1 to 7 */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static _Alignas(16) uint8_t trap_stack[STACK_BYTES];
static _Alignas(16) uint8_t ist_stacks[IST_COUNT][IST_STACK_BYTES];
static struct tss tss;

/* access byte: present, DPL, type; bit 53: 64-bit code. */
#define CODE64(dpl) (0x00209b0000000000u | (uint64_t)(dpl) << 45)
#define DATA(dpl)   (0x0000930000000000u | (uint64_t)(dpl) << 45)

static _Alignas(16) uint64_t gdt[GDT_ENTRIES] = {
    [SEL_CODE0 / 8] = CODE64(0),
    [SEL_DATA0 / 8] = DATA(0),
    [SEL_CODE1 / 8] = CODE64(1),
    [SEL_DATA1 / 8] = DATA(1),
};

/* A system descriptor, of two entries in 64-bit mode (Intel SDM vol. 3A figure 8-4). */
static void describe(unsigned selector, const void *what, uint64_t bytes, unsigned type) {
    enum { PRESENT = 0x80 };
    uint64_t base = (uint64_t)(uintptr_t)what, access = PRESENT | type;

    gdt[selector / 8] =
        (bytes - 1) | (base & 0xffffff) << 16 | access << 40 | (base >> 24 & 0xff) << 56;
    gdt[selector / 8 + 1] = base >> 32;
}

void gdt_set_user(const uint64_t *descriptors, unsigned n) {
    if (n > SEL_CODE0 / 8)
        host_panic("%u descriptors for user code", n);
    memcpy(gdt, descriptors, n * sizeof *gdt);
}

void gdt_set_ldt(const uint64_t *descriptors, unsigned n) {
    if (n > 0)
        describe(SEL_LDT, descriptors, n * sizeof *descriptors, TYPE_LDT);
    __asm__ volatile("lldt %w0" : : "r"(n > 0 ? SEL_LDT : 0));
}

void gdt_load(void) {
    tss.rsp[0] = (uint64_t)(uintptr_t)(trap_stack + sizeof trap_stack);
    for (unsigned n = 1; n < IST_COUNT; n++)
        tss.ist[n - 1] = (uint64_t)(uintptr_t)(ist_stacks[n] + sizeof ist_stacks[n]);
    tss.io_map = sizeof tss;
    describe(SEL_TSS, &tss, sizeof tss, TYPE_TSS);

    struct pointer p = {sizeof gdt - 1, (uint64_t)(uintptr_t)gdt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "ltr %w3"
                     :
                     : "m"(p), "i"(SEL_CODE0), "i"(SEL_DATA0), "r"(SEL_TSS)
                     : "rax", "memory");
}
