/*
 * Local APIC (Intel SDM vol. 3A chapter 10), in xAPIC mode.
 */
#include "host/ring0/lapic.h"

#include "host/ring0/cpu_ops.h"
#include "host/ring0/layout.h"
#include "host/ring0/paging.h"

enum {
    REG_TPR = 0x80,
    REG_EOI = 0xb0,
    REG_SPURIOUS = 0xf0,
    REG_LVT_TIMER = 0x320,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_LINT1 = 0x360,
    REG_TIMER_INITIAL = 0x380,
    REG_TIMER_CURRENT = 0x390,
    REG_TIMER_DIVIDE = 0x3e0,
    SPURIOUS_ENABLE = 1u << 8,
    LVT_NMI = 4u << 8,
    LVT_EXTINT = 7u << 8,
    DIVIDE_BY_16 = 3,
    APIC_BASE_ENABLE = 1u << 11,
    CPUID1_EDX_APIC = 1u << 9,
};

static volatile uint8_t *registers;

static void write(unsigned reg, uint32_t value) {
    *(volatile uint32_t *)(registers + reg) = value;
}

static uint32_t read(unsigned reg) {
    return *(volatile uint32_t *)(registers + reg);
}

bool lapic_init(void) {
    if (!(cpuid(1, 0).edx & CPUID1_EDX_APIC))
        return false;
    uint64_t base = read_msr(MSR_APIC_BASE);
    write_msr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    registers = paging_map_device(base & PTE_FRAME);
    if (!registers)
        return false;
    write(REG_TPR, 0);
    write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    write(REG_LVT_LINT0, LVT_EXTINT); /* the 8259A pair */
    write(REG_LVT_LINT1, LVT_NMI);
    write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
    write(REG_LVT_TIMER, VECTOR_TIMER); /* one-shot */
    return true;
}

void lapic_acknowledge(void) {
    write(REG_EOI, 0);
}

void lapic_timer_set(uint32_t ticks) {
    write(REG_TIMER_INITIAL, ticks);
}

uint32_t lapic_timer_left(void) {
    return read(REG_TIMER_CURRENT);
}
