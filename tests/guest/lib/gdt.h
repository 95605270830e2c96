/* Global descriptor table, one 32-bit TSS, one LDT (SDM vol 3A, 3.4.5, 3.5, 8.2). */
#ifndef GUEST_GDT_H
#define GUEST_GDT_H

#include "layout.h"

#include <stdint.h>

/* Access bytes: P, DPL, S, type (SDM vol 3A, 3.4.5.1). */
enum {
    ACCESS_P = 0x80,
    ACCESS_DPL1 = 0x20,
    ACCESS_DPL2 = 0x40,
    ACCESS_DPL3 = 0x60,
    ACCESS_DATA = 0x10, /* read-only */
    ACCESS_DATA_RW = 0x12,
    ACCESS_DATA_DOWN = 0x16, /* expand-down, writable */
    ACCESS_CODE = 0x18,      /* execute-only */
    ACCESS_CODE_R = 0x1A,
    ACCESS_CODE_CONFORM = 0x1E, /* conforming, readable */
    ACCESS_ACCESSED = 0x01,
    ACCESS_LDT = 0x02,
    ACCESS_TSS = 0x09,
    ACCESS_TSS_BUSY = 0x0B,
    ACCESS_CALL_GATE16 = 0x04,
    ACCESS_TASK_GATE = 0x05,
    ACCESS_CALL_GATE = 0x0C,
    ACCESS_INT_GATE = 0x0E,
    ACCESS_TRAP_GATE = 0x0F,
};

/* Flags nibble: G, D/B, L, AVL. */
enum { FLAG_SEG_G = 8, FLAG_SEG_B = 4, FLAG_SEG_L = 2, FLAG_SEG_32_4K = 12 };

struct tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp,
        esi, edi, es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_base;
    uint8_t io_map[8193]; /* one byte beyond the 65,536 ports, all ones (SDM vol 1, 18.5.2) */
};

extern uint64_t gdt[GDT_SLOTS];
extern uint64_t ldt[16];
extern struct tss tss;

/* Loads GDTR, all segment registers, LDTR and TR. */
void gdt_init(void);

/* A segment descriptor. `limit` is the raw 20-bit field, in pages when `flags` has G. */
uint64_t descriptor(uint32_t base, uint32_t limit, uint8_t access, uint8_t flags);

/* A gate descriptor: call, interrupt, trap or task. `count` is a call gate's parameter count. */
uint64_t gate(uint16_t selector, uint32_t offset, uint8_t access, uint8_t count);

/* Puts `value` in the GDT slot of `selector`; returns `selector`. */
uint16_t gdt_set(uint16_t selector, uint64_t value);

/* Bits 40..47 of the descriptor in the slot of `selector`. */
uint8_t gdt_access(uint16_t selector);

void lgdt(const void *base, uint16_t limit);
void lidt(const void *base, uint16_t limit);

#endif
