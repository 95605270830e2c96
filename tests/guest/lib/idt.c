/* IDT (SDM vol 3A, 6.10-6.11). */
#include "idt.h"
#include "gdt.h"

uint64_t idt[256] __attribute__((aligned(8)));

extern const uint32_t trap_stub_table[256]; /* run.S */

uint32_t idt_entry(uint8_t vector) {
    return trap_stub_table[vector];
}

void idt_init(void) {
    for (int v = 0; v < 256; v++) {
        uint8_t dpl = v == VECTOR_END ? ACCESS_DPL3 : 0;
        idt[v] =
            gate(SEL_CODE0, trap_stub_table[v], (uint8_t)(ACCESS_P | dpl | ACCESS_INT_GATE), 0);
    }
    lidt(idt, sizeof idt - 1);
}
