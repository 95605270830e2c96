/*
 * The binary translator as the rest of the VMM sees it.
 */
#ifndef BT_BT_H
#define BT_BT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/x86.h"

struct vcpu;
struct vm;
struct host_regs;
struct host_user;

/* Creates the translator of a VM with a translation cache of cache_bytes. False: no host memory. */
bool bt_create(struct vm *vm, size_t cache_bytes);

/* Forgets all translations: the VM has been reset. */
void bt_reset(struct vm *vm);

/* Runs the guest until vm->stop is set: translated code, events, halts. */
void bt_run(struct vcpu *v);

/* A host exception (vector, error code, fault address) hit translated code with these registers.
 * Changes regs to where the host must resume. False: not in translated code, a VMM bug. */
bool bt_host_fault(struct vcpu *v, struct host_regs *regs, unsigned vector, uint64_t error,
                   uint64_t address);

/* A page fault (PFERR_* of the host's error code) of guest user code that runs natively
 * (bt/native.c). True: resolved, run on. */
bool bt_user_fault(struct vcpu *v, gla_t gla, uint32_t error);

/* Code that host_user_run ran has ended; *u and struct vcpu's general registers say how. Sets RSP,
 * R15, RIP and RFLAGS of *next: where the host goes on, in code memory, with interrupts possible.
 * The other registers do not matter. */
void bt_user_end(struct vcpu *v, const struct host_user *u, struct host_regs *next);

/* Makes translated code return to the run loop soon. From a host signal/interrupt handler with the
 * interrupted registers, or with NULL from VMM code. Async-signal-safe. */
void bt_kick(struct vcpu *v, struct host_regs *regs);

/* INTR has risen within a callout. Translated code returns to the run loop soon, or where it sets
 * IF if that is clear. */
void bt_intr(struct vcpu *v);

/* Tells where the guest's time goes, for translating what much of it is spent in once more
 * (heat.c). From a host signal/interrupt handler, with the interrupted registers, now and then and
 * at least every 10 ms; once a millisecond while it returns true, which says that samples make a
 * difference. Async-signal-safe. A host may do without. */
bool bt_sample(struct vcpu *v, struct host_regs *regs);

/* -- what the MMU and devices tell the translator -- */

/* Guest memory [gpa, gpa+n) was or is about to be written: translations of it die. True: some did.
 */
bool bt_code_written(struct vm *vm, gpa_t gpa, uint64_t n);
/* The linear-to-physical map changed: non-global only (CR3 load), or all. */
void bt_map_changed(struct vcpu *v, bool global_too);
void bt_map_changed_page(struct vcpu *v, gla_t gla);

struct bt_stats {
    uint64_t blocks, guest_insns, guest_bytes, host_bytes, flushes, invalidated, chained, unchained,
        fallthroughs;
    uint64_t dispatches, jump_misses, retranslated, smc_writes;
    uint64_t exits;  /* direct exits translated */
    uint64_t onward; /* ways on behind callouts without a dispatch */
    uint64_t native_runs;
    uint64_t host_faults, polls, exceptions, interrupts, halt_ns, run_ns;
    /* ticks of the host's TSC, the first counted for -stats: clocks cost more */
    uint64_t translate_tsc, native_tsc;
    uint64_t cache_used, cache_size;
};
const struct bt_stats *bt_stats(const struct vm *vm);
/* Name of row i of bt/insn.def and whether a block with it was ever translated; NULL past the last.
 */
const char *bt_row(const struct vm *vm, unsigned i, bool *seen);
/* Name of callout i for callout_count, NULL past the last. */
const char *bt_callout_name(unsigned i);
/* Whether it is an access to an I/O port. */
bool bt_callout_does_io(unsigned i);

/* -- for traces and the panic report (bt/inspect.c); async-signal-safe -- */

/* What routine callout i is. */
uint64_t bt_callout_address(unsigned i);
/* The host routine ("thunk") in front of the translations that holds this host address, and how far
 * into it that is. NULL: it lies in none. */
const char *bt_thunk_name(const struct vm *vm, uint64_t host, uint32_t *into);
/* The linear address of the guest instruction that the host code at this address does. */
bool bt_guest_place(const struct vm *vm, uint64_t host, gla_t *gla);
/* For a profiler: whose code a host code address is, and what the guest is at. */
enum bt_work {
    BT_TRANSLATED, /* a translation */
    BT_CALLED,     /* VMM code that a translation has called */
    BT_LEAVING,    /* what enters and leaves translations */
    BT_RUN_LOOP,   /* other VMM code */
};
struct bt_place {
    gla_t gla;         /* of the instruction at work, or that is to run next */
    uint32_t esp, ebp; /* the guest's */
    uint8_t cpl;
    bool real; /* real or virtual-8086 mode */
};
/* regs: the registers of the vCPU's thread as they were interrupted between bt_run's begin and end,
 * a host exception handler's excluded. */
enum bt_work bt_locate(const struct vm *vm, const struct host_regs *regs, struct bt_place *place);
/* Linear addresses of the blocks dispatched last, newest first; returns how many. Blocks that
 * others chain to are not seen. */
unsigned bt_recent(const struct vm *vm, gla_t *out, unsigned max);
/* Brings struct vcpu up to date from the registers of interrupted translated code. False: they are
 * not such, or between two guest instructions; nothing has changed. */
bool bt_recover(struct vcpu *v, const struct host_regs *regs);

#endif
