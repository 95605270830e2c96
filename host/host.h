/*
 * The only door from the core (bt/, vmm/, mmu/, devices/) to the machine below. Each folder under
 * host/ implements all of it. Nothing here uses the guest's x87/SSE state: a host that must call
 * code that does (libc) saves it first.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__ /* the host's own files and the unit tests */
#include <string.h>
#else
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
#endif

struct vcpu;

/* -- memory -- */

/* Zeroed, page-aligned memory that is touched lazily and lives until exit. NULL: none left. */
void *host_alloc(size_t bytes);
/* The same for tables that fill up from their beginning or are used all over. They share large
 * pages with the ones allocated before and after, where the host has any: a first access is dear.
 */
void *host_alloc_dense(size_t bytes);
/* A hint: this memory of host_alloc(), of guest RAM or of code's rw mapping, from the start of a
 * page on, will be written before long. What it holds stays. Where a page's first access costs
 * much, the host may see to that meanwhile; it returns at once. */
void host_present(void *p, size_t bytes);

/* Guest RAM of `bytes` (a multiple of 4 KiB) as one shared object; returns its hva, or NULL. */
uint8_t *host_ram_create(uint64_t bytes);

/* One stretch of code memory, seen twice: rw writable, rx executable, never both in one mapping. */
struct host_code {
    uint8_t *rw;
    uint8_t *rx;
    size_t size;
};
bool host_code_create(struct host_code *c, size_t bytes);

/* A PROT_NONE stretch of `bytes`: any access faults. NULL: none left. */
void *host_poison_create(size_t bytes);

/* A byte that can be read and has 4 GiB behind it where any access faults. NULL: no such room. */
uint8_t *host_edge_create(void);

/* A stack of `bytes` for translated code; below it an access faults. Returns its top (the address
 * behind its last byte, 64-byte aligned), or NULL. */
void *host_stack_create(size_t bytes);

/* -- windows: 4 GiB of address space through which a guest view is accessed directly -- */

struct host_window;

/* Reserves a window (base 4 GiB-aligned, unmapped, followed by a guard). NULL: none left. */
struct host_window *host_window_create(void);
uint64_t host_window_base(const struct host_window *w);
/* Maps guest RAM [ram_offset, +bytes) at gla. All page multiples. executable: user code that runs
 * natively may be fetched from there; hosts without host_window_nx() do not look at it. False: the
 * host refused. */
bool host_window_map(struct host_window *w, uint32_t gla, uint64_t ram_offset, uint64_t bytes,
                     bool writable, bool executable);
bool host_window_protect(struct host_window *w, uint32_t gla, uint64_t bytes, bool writable);
/* bytes may be up to 4 GiB: the whole window. */
bool host_window_unmap(struct host_window *w, uint32_t gla, uint64_t bytes);
/* True: what is not mapped executable cannot be fetched by user code that runs natively. */
bool host_window_nx(void);
/* How many separate mappings all windows together may use. */
unsigned host_window_budget(void);

/* -- processor -- */

/* The registers of interrupted translated code, as a fault handler may read and change them. */
struct host_regs {
    uint64_t gpr[16]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
    uint64_t rip;
    uint64_t rflags;
};

/* True: translated code of CPL 3 has its window at FS.base, all other at GS.base; so going from one
 * to the other writes neither. False: both have it at GS.base. */
bool host_user_fs(void);
/* True: a call of host_set_window() with another window takes as long as a page fault. */
bool host_window_switch_dear(void);
/* Sets FS.base or GS.base for translated code of CPL 3 or of CPL 0 to 2. */
void host_set_window(bool user, uint64_t base);

/* True when C code of this build may change x87/SSE registers (sanitizer run-times do): callouts
 * then keep the guest's state for it. */
bool host_clobbers_fpu(void);

/* RFLAGS bits that are fixed while translated code runs here (IF, bit 1, ...). */
uint32_t host_fixed_rflags(void);

/* -- direct execution of guest user code, on hosts that can -- */

/* What CPL 3 runs with, before and after; the general registers are those of struct vcpu. */
struct host_user {
    uint32_t eip;
    uint32_t eflags;
    uint16_t selector[6]; /* ES CS SS DS FS GS: before */
    uint16_t left[6];     /* and after */
    const uint64_t *gdt;  /* HOST_USER_GDT descriptors: what selectors name */
    const uint64_t *ldt;  /* ldt_entries descriptors; stays where it is while it is used */
    unsigned ldt_entries;
    uint64_t gdt_version; /* differs when one of the tables has changed */
    uint64_t window;      /* base of the window that is the address space */
    bool ts;              /* x87/SSE instructions raise #NM */
    /* why it ended: a vector, with its error code and the linear address of a #PF or DR6 of a #DB
     */
    unsigned vector;
    uint32_t error;
    uint64_t address;
};
enum { HOST_USER_KICKED = 256, HOST_USER_GDT = 128 };

/* True: this host runs user code natively. */
bool host_user_can(void);
/* Runs in hardware ring 3 until an exception that bt_user_fault does not resolve, or a kick. Does
 * not return: bt_user_end then says where the host goes on. The stack is given up. */
_Noreturn void host_user_run(struct vcpu *v, struct host_user *u);

/* -- time -- */

/* Monotonic nanoseconds. */
uint64_t host_clock_ns(void);
/* Frequency of the host's TSC in Hz, measured against host_clock_ns() since start-up: may wait for
 * some milliseconds of that. */
uint64_t host_tsc_hz(void);
/* Wall clock: seconds since 1970-01-01 UTC. */
int64_t host_wall_seconds(void);
/* Asks for a kick (bt_kick on the running vCPU) at or soon after the given host_clock_ns() time. */
void host_timer_arm(uint64_t deadline_ns);
/* Sleeps until deadline_ns (UINT64_MAX: none) or until there is host input for a device. */
void host_wait(uint64_t deadline_ns);
/* Moves pending host input to the devices' queues (see host_chr_*). Called at every kick. */
void host_poll(void);

/* -- character channels (serial ports, debug console), numbered by the host's options -- */

/* Writes bytes; false when the channel is full now (retry after host_wait/host_poll). */
bool host_chr_write(unsigned channel, const uint8_t *data, size_t n);
/* Reads up to n bytes that have come in; returns how many. Never waits. */
size_t host_chr_read(unsigned channel, uint8_t *data, size_t n);

/* -- disks, numbered by the host's options -- */

/* Size of a disk in sectors of 512 bytes; 0: there is no such disk. */
uint64_t host_blk_sectors(unsigned disk);
/* Reads or writes `sectors` sectors from sector `first`. False: beyond the end, read-only, or the
 * host's medium failed; buf or the disk may have changed in part. */
bool host_blk_read(unsigned disk, uint64_t first, void *buf, uint32_t sectors);
bool host_blk_write(unsigned disk, uint64_t first, const void *buf, uint32_t sectors);
/* Makes what was written survive a crash of the host. False: it may not. */
bool host_blk_flush(unsigned disk);

/* -- words to the user -- */

enum host_log {
    LOG_IN_ASM = 1u << 0,
    LOG_OUT_ASM = 1u << 1,
    LOG_INT = 1u << 2,
    LOG_MMU = 1u << 3,
    LOG_GUEST_ERRORS = 1u << 4,
    LOG_UNIMP = 1u << 5
};

/* Mask of enum host_log that -d turned on; read often, so a plain variable. */
extern uint32_t host_log_mask;
/* Writes one trace line: printf without floating point, %n and wide characters. A place in guest
 * code written as @%08x (linear address) is shown with its name where the host knows it, and may be
 * filtered by. Call through LOG_ON. */
void host_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define LOG_ON(bits) (__builtin_expect(host_log_mask & (bits), 0))

struct vcpu;
/* Trace hooks, for LOG_IN_ASM or LOG_GUEST_ERRORS and LOG_OUT_ASM: guest code of n bytes that is to
 * run at linear address gla (`bytes` holds them as far as the page reaches), and its translation,
 * which stands in the translation cache already. */
void host_log_guest_code(struct vcpu *v, uint32_t gla, const uint8_t *bytes, size_t n, bool code32);
void host_log_host_code(const uint8_t *code, size_t n, uint64_t address);

/* A broken invariant of the VMM itself: prints and never returns. */
_Noreturn void host_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
