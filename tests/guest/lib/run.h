/* Running a snippet of machine code with every register chosen, and catching how it ends.
 *
 * A snippet starts from a struct regs (through IRET, so in any ring, with any segments and flags)
 * and ends at its first exception or at INT 0xF0, which CODE() puts after it. The handler stores
 * every register in `trap` and returns to run()'s caller; report() prints the outcome.
 *
 *     run()  --IRET-->  snippet  --exception or INT 0xF0-->  run.S  -->  return of run()
 */
#ifndef GUEST_RUN_H
#define GUEST_RUN_H

#include "layout.h"

#include <stdbool.h>
#include <stdint.h>

/* Order known to run.S. */
struct regs {
    uint32_t edi, esi, ebp, ebx, edx, ecx, eax;
    uint32_t esp, ss;
    uint32_t gs, fs, es, ds;
    uint32_t eip, cs, eflags;
};

/* How the last snippet ended. `error` is 0 for vectors that push none. */
struct trap {
    struct regs regs;
    uint32_t vector, error, cr2;
};

/* The stack at the entry of a handler installed in trap_handlers; order known to run.S. */
struct trap_frame {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp_pusha, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss; /* only when the ring changed */
    uint32_t v86_es, v86_ds, v86_fs, v86_gs;
};

extern struct trap trap;

/* A handler here returns to the interrupted code instead of ending the snippet. It needs the flat
 * SS of SEL_DATA0. */
extern void (*trap_handlers[256])(struct trap_frame *);

/* Defines snippet `name`: the assembly in `text`, then INT 0xF0. */
#define CODE(name, text)                                                                           \
    extern const uint8_t name[];                                                                   \
    __asm__(".text\n.globl " #name "\n" #name ":\n" text "\nint $0xf0\n")

/* Registers for running `code` in ring 0 or 3: general registers 0x11111111 (EAX), 0x22222222
 * (ECX), ... 0x88888888 (EDI), flat segments, IF clear. */
struct regs regs_ring0(const void *code);
struct regs regs_ring3(const void *code);

void run(const struct regs *in);

/* Status flags report() prints after INT 0xF0; none unless the test sets them. */
extern uint32_t report_flags;

/* Prints "label: outcome", then each register that differs from *in. The outcome is `end`, or the
 * exception with its error code and EIP relative to in->eip; #PF adds CR2. ESP is printed as a
 * difference. After an exception every flag that differs is printed, but RF. */
void report(const char *label, const struct regs *in);

/* run() and report() of the snippet in ring 0 or 3. */
void try_ring0(const char *label, const void *code);
void try_ring3(const char *label, const void *code);

/* The same, labelled with the name of the snippet. */
#define RING0(code) try_ring0("ring0 " #code, code)
#define RING3(code) try_ring3("ring3 " #code, code)

/* A constant's value as text, to put it into CODE(). */
#define TEXT(x)    TEXT_OF(x)
#define TEXT_OF(x) #x

/* "#GP" and so on. */
const char *vector_name(uint32_t vector);

/* Prints the flags set in `flags`, one letter each: CPAZSTIDO, then iopl, N (NT), R, V, A (AC). */
void print_flags(uint32_t flags);

#endif
