/* Running a snippet of 16-bit code in real-address mode with every register chosen, and catching
 * how it ends; the counterpart of run.h (SDM vol 3B, 20.1).
 *
 *   0x20000  the way there and back, the stubs of the vector table (real.S)
 *   0x30000  vector table
 *   0x40000  the snippet, in segment 4000h at the offset chosen
 *   0x50000  stack segment          0x60000  data segment
 */
#ifndef GUEST_REAL_H
#define GUEST_REAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    REAL_VECTORS = 0x30000,
    REAL_CODE = 0x40000,
    REAL_STACK = 0x50000,
    REAL_DATA = 0x60000,
};

/* Order known to real.S. */
struct real {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t eip, cs, ss, ds, es, fs, gs, eflags;
    uint32_t vector, hidden; /* out; in: 4 GiB limits (the "unreal" mode) instead of 64 KiB */
};

/* Limit of the vector table: 3FFh unless the test changes it. */
extern uint16_t real_idt_limit;

/* As regs_ring0(): segments 4000h, 5000h, 6000h, EIP 0, ESP 8000h. */
struct real real_regs(void);

/* Copies the code to REAL_CODE + at; returns `in` to run it from there. */
struct real real_code(const void *code, uint32_t bytes, uint16_t at);

/* Runs until the first exception or INT F0; gives the state in *out. Memory is left as it is. */
void real_run(const struct real *in, struct real *out);

/* real_run() and a line: label, outcome, what differs. Flags are not shown. */
void real_try(const char *label, const struct real *in);

/* Defines 16-bit code `name` of name##_size bytes, with INT F0 behind it. */
#define CODE16(name, text)                                                                         \
    extern const uint8_t name[], name##_end[];                                                     \
    __asm__(".text\n.code16\n.globl " #name "\n" #name ":\n" text "\nint $0xf0\n" #name            \
            "_end:\n.code32\n")

#define CODE16_SIZE(name) ((uint32_t)(name##_end - name))

/* Runs it from offset 0 with the usual registers. */
#define REAL(name)                                                                                 \
    do {                                                                                           \
        struct real real_in = real_code(name, CODE16_SIZE(name), 0);                               \
        real_try(#name, &real_in);                                                                 \
    } while (0)

#endif
