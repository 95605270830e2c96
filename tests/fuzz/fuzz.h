/* The fuzzing kernel: what its parts share. Everything it does follows from the seed on its command
 * line (kernel.c), so a run that hurts the monitor can be repeated. */
#ifndef FUZZ_H
#define FUZZ_H

#include "guest.h"

/* Physical memory, with 32 MiB of RAM (layout.h has what is below). */
enum {
    FUZZ_CODE = 0x00900000,   /* random code of protected mode */
    FUZZ_CODE16 = 0x00020000, /* and of virtual-8086 mode */
    FUZZ_CODE_BYTES = 0x8000,
    FUZZ_TABLES = 0x00A00000, /* page tables with random entries */
    FUZZ_TABLE_COUNT = 16,
    FUZZ_FREE = 0x00B00000, /* anything may be written from here to the end of RAM */
    FUZZ_RAM = 32 << 20,
};

#define SEL_DF   SEL_FREE       /* TSS of the double-fault task */
#define SEL_FUZZ (SEL_FREE + 8) /* descriptors with random contents start here */

/* How snippets run. */
struct fuzz {
    bool paging, pae, ring3, v86;
    uint32_t cr0, cr3, cr4; /* what they are reset to */
};
extern struct fuzz fuzz;

/* random.c: the generator, and numbers that are often special. */
void random_seed(uint32_t seed);
uint32_t rnd(void);
uint32_t below(uint32_t n);
bool one_in(uint32_t n);
uint32_t rnd_value(void);   /* 0, -1, powers of two and their neighbours, addresses, anything */
uint32_t rnd_address(void); /* in free memory, at page edges, at devices, outside RAM, anywhere */

/* code.c: one random instruction or something like it; returns its length, at most 16. */
uint32_t code_put(uint8_t *to);
void code_fill(uint8_t *to, uint32_t bytes);

/* run it from random registers, in the ring that `fuzz` says; returns at its first exception, its
 * end, or the next timer tick. */
void attempt(uint32_t eip);
struct regs attempt_regs(uint32_t eip);
void attempt_from(const struct regs *in);

/* Puts back what a snippet of ring 0 or a device may have changed. */
void restore(void);

/* One round of each kind. */
void round_code(void);
void round_pages(void);
void round_tables(void);
void round_ports(void);
void round_system(void);
void round_disks(void);

void pages_init(void);

/* input.c: a mode and code from the first Multiboot module. fuzz_input_mode() chooses how snippets
 * run before paging is set up; fuzz_input() runs the code and tells how far it came. */
void fuzz_input_mode(void);
void fuzz_input(void);

#endif
