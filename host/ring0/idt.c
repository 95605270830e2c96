/*
 * The IDT (Intel SDM vol. 3A section 6.14.1). All gates are interrupt gates: ring 0 runs with
 * interrupts off, but where it waits (clock.c, ata.c). VECTOR_SERVICE alone may be called from
 * ring 1.
 */
#include "host/ring0/idt.h"

#include <stdint.h>

#include "host/ring0/gdt.h"
#include "host/ring0/layout.h"

enum { VECTORS = 256, STUB_BYTES = 16, GATE_INTERRUPT = 0x8e };
enum { VECTOR_NMI = 2, VECTOR_DOUBLE_FAULT = 8, VECTOR_MACHINE_CHECK = 18 };

struct gate {
    uint16_t offset0;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset16;
    uint32_t offset32;
    uint32_t reserved;
};

/* entry.S */
extern const uint8_t trap_stubs[VECTORS][STUB_BYTES], trap_stubs_sampled[VECTORS][STUB_BYTES];

static struct gate idt[VECTORS];

static uint8_t stack_of(unsigned vector) {
    switch (vector) {
    case VECTOR_NMI:
        return IST_NMI;
    case VECTOR_DOUBLE_FAULT:
        return IST_DOUBLE_FAULT;
    case VECTOR_MACHINE_CHECK:
        return IST_MACHINE_CHECK;
    default:
        return IST_NONE;
    }
}

void idt_load(bool sampled) {
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof idt - 1, (uint64_t)(uintptr_t)idt};

    for (unsigned n = 0; n < VECTORS; n++) {
        uint64_t to = (uint64_t)(uintptr_t)(sampled ? trap_stubs_sampled : trap_stubs)[n];
        unsigned dpl = n == VECTOR_SERVICE ? 1 : 0;
        idt[n] = (struct gate){.offset0 = (uint16_t)to,
                               .selector = SEL_CODE0,
                               .ist = stack_of(n),
                               .type = (uint8_t)(GATE_INTERRUPT | dpl << 5),
                               .offset16 = (uint16_t)(to >> 16),
                               .offset32 = (uint32_t)(to >> 32)};
    }
    __asm__ volatile("lidt %0" : : "m"(pointer));
}
