/* GDT, LDT and TSS (SDM vol 3A, 3.4.5 descriptors, 3.5 tables, 8.2.1 TSS). */
#include "gdt.h"

uint64_t gdt[GDT_SLOTS] __attribute__((aligned(8)));
uint64_t ldt[16] __attribute__((aligned(8)));
struct tss tss __attribute__((aligned(4096)));

uint64_t descriptor(uint32_t base, uint32_t limit, uint8_t access, uint8_t flags) {
    uint32_t lo = base << 16 | (limit & 0xFFFF);
    uint32_t hi = (base & 0xFF000000u) | (uint32_t)flags << 20 | (limit & 0xF0000) |
                  (uint32_t)access << 8 | (base >> 16 & 0xFF);
    return (uint64_t)hi << 32 | lo;
}

uint64_t gate(uint16_t selector, uint32_t offset, uint8_t access, uint8_t count) {
    uint32_t lo = (uint32_t)selector << 16 | (offset & 0xFFFF);
    uint32_t hi = (offset & 0xFFFF0000u) | (uint32_t)access << 8 | count;
    return (uint64_t)hi << 32 | lo;
}

uint16_t gdt_set(uint16_t selector, uint64_t value) {
    gdt[selector >> 3] = value;
    return selector;
}

uint8_t gdt_access(uint16_t selector) {
    return (uint8_t)(gdt[selector >> 3] >> 40);
}

struct table_pointer {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

void lgdt(const void *base, uint16_t limit) {
    struct table_pointer p = {limit, (uint32_t)base};
    __asm__ volatile("lgdt %0" : : "m"(p) : "memory");
}

void lidt(const void *base, uint16_t limit) {
    struct table_pointer p = {limit, (uint32_t)base};
    __asm__ volatile("lidt %0" : : "m"(p) : "memory");
}

static void set_flat(uint16_t selector, uint8_t access) {
    gdt_set(selector, descriptor(0, 0xFFFFF, access, FLAG_SEG_32_4K));
}

void gdt_init(void) {
    set_flat(SEL_CODE0, ACCESS_P | ACCESS_CODE_R);
    set_flat(SEL_DATA0, ACCESS_P | ACCESS_DATA_RW);
    set_flat(SEL_CODE3, ACCESS_P | ACCESS_DPL3 | ACCESS_CODE_R);
    set_flat(SEL_DATA3, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW);
    set_flat(SEL_CODE1, ACCESS_P | ACCESS_DPL1 | ACCESS_CODE_R);
    set_flat(SEL_DATA1, ACCESS_P | ACCESS_DPL1 | ACCESS_DATA_RW);
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS, 0));
    gdt_set(SEL_LDT, descriptor((uint32_t)ldt, sizeof ldt - 1, ACCESS_P | ACCESS_LDT, 0));
    tss.ss0 = SEL_DATA0;
    tss.esp0 = STACK_TRAP;
    tss.ss1 = SEL_DATA1;
    tss.esp1 = STACK_RING1;
    tss.io_base = (uint16_t) __builtin_offsetof(struct tss, io_map);
    for (unsigned i = 0; i < sizeof tss.io_map; i++)
        tss.io_map[i] = 0xFF;
    lgdt(gdt, sizeof gdt - 1);
    __asm__ volatile("ljmp %0, $1f\n"
                     "1: movw %w1, %%ds\n"
                     "movw %w1, %%es\n"
                     "movw %w1, %%fs\n"
                     "movw %w1, %%gs\n"
                     "movw %w1, %%ss\n"
                     "lldt %w2\n"
                     "ltr %w3\n"
                     :
                     : "i"(SEL_CODE0), "r"(SEL_DATA0), "r"(SEL_LDT), "r"(SEL_TSS)
                     : "memory");
}
