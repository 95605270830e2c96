/* What a workload program has instead of a C library.
 *
 * The programs are freestanding so that exactly the same instructions run on every system: a C
 * library picks its memcpy and its system-call instruction by what the CPU says it has.
 *
 * A program defines workload(). It is called once with the count from the command line and must do
 * work proportional to it; what it returns is printed as the checksum line, which must be the same
 * on every system.
 */
#ifndef BENCH_RT_H
#define BENCH_RT_H

#include <stddef.h>
#include <stdint.h>

uint32_t workload(uint32_t count);

/* The command line; argv[1] is the count. */
extern int rt_argc;
extern char **rt_argv;

/* The kernel's preferred entry (AT_SYSINFO), or NULL. */
extern const void *rt_vsyscall;

/* Linux i386 system call numbers (arch/x86/entry/syscalls/syscall_32.tbl). */
enum {
    SYS_EXIT = 1,
    SYS_FORK = 2,
    SYS_READ = 3,
    SYS_WRITE = 4,
    SYS_OPEN = 5,
    SYS_CLOSE = 6,
    SYS_WAITPID = 7,
    SYS_UNLINK = 10,
    SYS_EXECVE = 11,
    SYS_GETPID = 20,
    SYS_KILL = 37,
    SYS_RENAME = 38,
    SYS_MKDIR = 39,
    SYS_RMDIR = 40,
    SYS_PIPE = 42,
    SYS_GETPPID = 64,
    SYS_MUNMAP = 91,
    SYS_MPROTECT = 125,
    SYS_RT_SIGACTION = 174,
    SYS_MMAP2 = 192,
};

enum { PAGE_SIZE = 4096 };
enum { PROT_READ = 1, PROT_WRITE = 2 };
enum { MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20 };

/* System calls by the kernel's preferred entry, as a C library makes them; the result is the
 * kernel's: negative for an error. */
int32_t sys3(uint32_t number, uint32_t a, uint32_t b, uint32_t c);
int32_t sys6(uint32_t number, const uint32_t argument[6]);

/* The same, but an error ends the program with a message naming `what`. */
uint32_t sys3_or_die(const char *what, uint32_t number, uint32_t a, uint32_t b, uint32_t c);

/* Fresh zeroed memory, never given back unless munmap is called. Ends the program when refused. */
void *rt_map(uint32_t bytes);

/* Says "NAME: what" on standard error, then ends the program with status 1. */
__attribute__((noreturn)) void rt_die(const char *what);
__attribute__((noreturn)) void rt_exit(uint32_t status);

/* Waits for one child; a child that failed fails the program. */
void rt_wait_child(void);

/* The next pseudo-random number (xorshift32; Marsaglia 2003); *state must not be 0. */
static inline uint32_t rt_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* A running checksum. */
static inline uint32_t rt_mix(uint32_t sum, uint32_t value) {
    sum ^= value;
    sum *= 0x9E3779B1u;
    return sum ^ sum >> 15;
}

/* The bit pattern of a double, folded. */
static inline uint32_t rt_mix_double(uint32_t sum, double value) {
    union {
        double d;
        uint32_t word[2];
    } u = {value};
    return rt_mix(rt_mix(sum, u.word[0]), u.word[1]);
}

#endif
