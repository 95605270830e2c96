/*
 * Native runner of the differential instruction test for machines that run no 32-bit programs:
 * native.c for 64-bit mode, with the same input and output. A case's code is made into 64-bit code
 * that does the same (recode.h) and runs on the CPU in its place.
 *
 * That cannot be done for every case. Those whose path meets an instruction that 64-bit mode does
 * not have, or another address size, segment or single step, and those that write to their own
 * code, have the hash 0, and the outcome VEC_LEFT_OUT. "-g" writes an empty GDT: no case that looks
 * at descriptors runs.
 */
#include <stddef.h>

#include "tests/insn/recode.h"
#include "tests/insn/world.h"

#define SYS_READ         0
#define SYS_WRITE        1
#define SYS_MMAP         9
#define SYS_MPROTECT     10
#define SYS_RT_SIGACTION 13
#define SYS_SETITIMER    38
#define SYS_FTRUNCATE    77
#define SYS_SIGALTSTACK  131
#define SYS_EXIT_GROUP   231
#define SYS_MEMFD_CREATE 319
#define SIGVTALRM        26
#define ITIMER_VIRTUAL   1 /* the process's own time: others do not count */
#define PROT_READ        1
#define PROT_RW          3
#define PROT_RWX         7
#define MAP_SHARED       1
#define MAP_PRIVATE      2
#define MAP_FIXED        0x10
#define MAP_ANONYMOUS    0x20
#define SA_FLAGS         (4ul | 0x04000000ul | 0x08000000ul) /* SIGINFO, RESTORER, ONSTACK */
#define MAX_CHANGES      256u
#define FILE_BYTES       (2u << 20)
#define EFL_TF           0x100u
#define PF_WRITE         2u
#define PF_FETCH         0x10u
#define BEYOND           (1ull << 32)

static long syscall6(long nr, long a, long b, long c, long d, long e, long f) {
    long r;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return r;
}

static long syscall3(long nr, long a, long b, long c) {
    return syscall6(nr, a, b, c, 0, 0, 0);
}

static _Noreturn void quit(const char *why) {
    uint32_t n = 0;
    while (why[n])
        n++;
    syscall3(SYS_WRITE, 2, (long)why, (long)n);
    for (;;)
        syscall3(SYS_EXIT_GROUP, n ? 2 : 0, 0, 0);
}

/* Signal frame, from the kernel's user interface. */
struct mcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    const uint8_t *fpstate; /* begins as FXSAVE's */
};

struct ucontext {
    uint64_t flags, link, stack[3];
    struct mcontext m;
};

struct ksigaction {
    uint64_t handler, flags, restorer, mask;
};

/* What case_entry loads; the rest comes with the signal frame. */
static struct {
    uint8_t fx[512];
    uint64_t eflags, rsp, rip;
} entry __attribute__((aligned(64), used));

static uint8_t stack_main[16384] __attribute__((aligned(64), used));
static uint8_t stack_signal[65536] __attribute__((aligned(64)));
static uint64_t stack_flags[8] __attribute__((aligned(64)));
static uint8_t code64[RECODE_ROOM] __attribute__((aligned(4096)));
static uint32_t file[FILE_BYTES / 4] __attribute__((aligned(4096)));
static uint8_t code_alias[CODE_SIZE] __attribute__((aligned(4096)));
static uint8_t output[65536];
static uint32_t output_used;
static int full, stepping;
static const struct test_case *current, *loaded;
static uint32_t done, total, ticks;
static uint32_t step_eip, steps; /* the instruction that runs, and how many have begun */
static int case_left_out;

static struct recode recode = {
    .code = code_alias, .out = code64, .scratch = (uint8_t *)(stack_flags + 8)};

/* The code is written through another mapping: where the case sees it, it is read-only. */
static struct world world = {.code = code_alias,
                             .low = (uint8_t *)LOW_BASE,
                             .arena = (uint8_t *)ARENA_BASE,
                             .ro = (uint8_t *)RO_BASE,
                             .stack = (uint8_t *)STACK_BASE};

#define HIDDEN __attribute__((visibility("hidden"))) /* no table of their addresses */
HIDDEN void case_entry(void);
HIDDEN void case_goes_on(void);
HIDDEN void on_signal_entry(void);
HIDDEN void signal_return(void);
__asm__(".globl _start, case_entry, case_goes_on, on_signal_entry, signal_return\n"
        "_start:\n"
        "    movq %rsp, %rdi\n"
        "    leaq stack_main + 16384(%rip), %rsp\n"
        "    call native_main\n"
        "case_entry:\n"
        "    leaq entry + 512(%rip), %rsp\n"
        "    popfq\n"
        "    fxrstor entry(%rip)\n"
        "    jmp 1f\n"
        "case_goes_on:\n" /* returning from a signal would lose NT */
        "    leaq entry + 512(%rip), %rsp\n"
        "    popfq\n"
        "1:\n"
        "    movq entry + 520(%rip), %rsp\n"
        "    jmp *entry + 528(%rip)\n"
        "on_signal_entry:\n" /* the case's AC is not for C code */
        "    pushfq\n"
        "    andl $~0x40000, (%rsp)\n"
        "    popfq\n"
        "    jmp on_signal\n"
        "signal_return:\n"
        "    movl $15, %eax\n"
        "    syscall\n");

static void flush(void) {
    for (uint32_t at = 0; at < output_used;) {
        long n = syscall3(SYS_WRITE, 1, (long)(output + at), (long)(output_used - at));
        if (n <= 0)
            quit("native: write failed\n");
        at += (uint32_t)n;
    }
    output_used = 0;
}

static void put(const void *data, uint32_t n) {
    if (output_used + n > sizeof output)
        flush();
    for (uint32_t i = 0; i < n; i++)
        output[output_used++] = ((const uint8_t *)data)[i];
}

/* Where the case's code was, as 32-bit code has it. */
static uint32_t eip_of(const struct mcontext *m) {
    if (m->rip < BEYOND)
        return (uint32_t)m->rip;
    if (m->trapno == 3) {
        struct recoded int3 = recode_find(&recode, (const uint8_t *)m->rip - 1);
        return int3.eip + int3.length;
    }
    return recode_find(&recode, (const uint8_t *)m->rip).eip;
}

/* What this fault shows to be beyond this runner. */
static int is_beyond(const struct mcontext *m, uint32_t vector) {
    if (m->rip >= BEYOND && recode_find(&recode, (const uint8_t *)m->rip).left_out)
        return 1;
    if (vector == 14)
        return m->cr2 >= BEYOND || (m->err & PF_WRITE && m->cr2 - CODE_BASE < CODE_SIZE);
    return vector == 1;
}

static void record(const struct mcontext *m, uint32_t vector) {
    struct outcome o = {.vector = vector,
                        .error = (uint32_t)m->err,
                        .cr2 = (uint32_t)m->cr2,
                        .eip = eip_of(m),
                        .eflags = (uint32_t)m->eflags,
                        .gpr = {(uint32_t)m->rax, (uint32_t)m->rcx, (uint32_t)m->rdx,
                                (uint32_t)m->rbx, (uint32_t)m->rsp, (uint32_t)m->rbp,
                                (uint32_t)m->rsi, (uint32_t)m->rdi},
                        .seg = {current->seg[1], USER_CS, USER_DS, current->seg[0], current->seg[2],
                                current->seg[3]}};
    if (vector == 14)
        o.error &= ~PF_FETCH; /* the guest kernel has no NX, so it never sees this bit */
    world_finish(&world, m->fpstate, &o);
    if (case_left_out || is_beyond(m, vector))
        o = (struct outcome){.vector = VEC_LEFT_OUT, .eip = o.eip};
    if (full) {
        static struct patch changes[MAX_CHANGES];
        uint32_t n = world_changes(&world, current, changes, MAX_CHANGES);
        put(&o, sizeof o);
        put(&n, 4);
        put(changes, n * sizeof *changes);
    } else {
        uint32_t h = o.vector == VEC_LEFT_OUT ? 0 : world_hash(&o);
        put(&h, 4);
    }
}

static int is_flat(const struct case_file *f, uint32_t selector) {
    return selector == USER_DS ||
           (selector & 4 && selector >> 3 < LDT_ENTRIES && !f->ldt[selector >> 3][DESC_BASE] &&
            f->ldt[selector >> 3][DESC_LIMIT] == 0xfffff && f->ldt[selector >> 3][DESC_FLAGS] & 1 &&
            (f->ldt[selector >> 3][DESC_ACCESS] | 1) == 0xf3);
}

/* Has case_entry or case_goes_on go to 64-bit code for this place. */
static void go_to(uint32_t eip) {
    const uint8_t *code = case_left_out ? 0 : recode_at(&recode, eip);
    case_left_out |= !code;
    entry.rip = code ? (uint64_t)code : BEYOND - 1; /* where nothing is */
}

/* Jumps there fault once, not twice: a page fault that the host of a virtual machine handles by
 * itself may lose NT. */
static void touch_code(const struct test_case *c) {
    const volatile uint8_t *code = (const uint8_t *)(uintptr_t)c->code_address;
    for (uint32_t at = 0; at < c->code_bytes; at++)
        (void)code[at];
}

static void start_case(struct mcontext *m) {
    const struct test_case *c = current;
    const struct case_file *f = (const struct case_file *)file;
    if (current == loaded)
        loaded = world_load_codes(&world, current, total - done);
    world_load_code(&world, c);
    touch_code(c);
    world_prepare(&world, c, entry.fx);
    recode_reset(&recode);
    recode.flat_fs = is_flat(f, c->seg[2]);
    recode.flat_gs = is_flat(f, c->seg[3]);
    recode.stepping = stepping;
    case_left_out = !is_flat(f, c->seg[0]) || !is_flat(f, c->seg[1]);
    steps = step_eip = 0;
    *m = (struct mcontext){.rax = c->gpr[0],
                           .rcx = c->gpr[1],
                           .rdx = c->gpr[2],
                           .rbx = c->gpr[3],
                           .rbp = c->gpr[5],
                           .rsi = c->gpr[6],
                           .rdi = c->gpr[7],
                           .rip = (uint64_t)case_entry,
                           .eflags = 0x202,
                           .cs = m->cs,
                           .gs = m->gs,
                           .fs = m->fs,
                           .ss = m->ss,
                           .oldmask = m->oldmask,
                           .fpstate = m->fpstate};
    entry.rsp = c->gpr[4];
    entry.eflags = c->eflags | (stepping ? EFL_TF : 0);
    go_to(c->code_address);
}

/* Ends a signal that is none of the case's. */
static void resume(struct mcontext *m) {
    entry.eflags = m->eflags;
    entry.rsp = m->rsp;
    m->rip = (uint64_t)case_goes_on;
}

static int is_in_code(const struct mcontext *m) {
    return m->rip - (uint64_t)code64 < RECODE_ROOM;
}

/* Whether a signal is none of the case's outcome: it steps on, or wants code. */
static int goes_on(struct mcontext *m, uint32_t vector) {
    if (vector == 14 && m->rip == m->cr2 && m->rip - CODE_BASE < CODE_SIZE) {
        go_to((uint32_t)m->rip);
        resume(m);
        return 1;
    }
    if (!stepping || vector != 1 || !(m->eflags & EFL_TF))
        return 0;
    if (is_in_code(m)) {
        struct recoded at = recode_find(&recode, (const uint8_t *)m->rip);
        steps += at.starts && at.eip != step_eip;
        step_eip = at.eip;
    }
    return 1;
}

static void next_case(const struct mcontext *m, uint32_t vector) {
    static const uint32_t overwritten;
    if (stepping) {
        if (case_left_out || is_beyond(m, vector))
            steps = 0;
        put(&steps, sizeof steps);
        put(&overwritten, sizeof overwritten);
    } else {
        record(m, vector);
    }
    current = world_next(current);
    done++;
}

__attribute__((used)) void on_signal(int number, const void *info, struct ucontext *u) {
    (void)info;
    struct mcontext *m = &u->m;
    uint32_t vector = (uint32_t)m->trapno;
    if (number == SIGVTALRM) {
        if (!current || ++ticks < 3) {
            if (is_in_code(m)) {
                entry.rip = m->rip;
                resume(m);
            }
            return;
        }
        vector = VEC_TIMEOUT;
    }
    if (current) {
        if (vector != VEC_TIMEOUT && goes_on(m, vector))
            return;
        next_case(m, vector);
    } else {
        const struct case_file *f = (const struct case_file *)file;
        current = loaded = (const struct test_case *)(file + sizeof *f / 4 + f->cases);
    }
    ticks = 0;
    if (done == total) {
        flush();
        quit("");
    }
    start_case(m);
}

static void map(uint64_t base, uint64_t size, long access, long kind, long fd) {
    if (syscall6(SYS_MMAP, (long)base, (long)size, access, kind | MAP_FIXED, fd, 0) != (long)base)
        quit("native: mmap failed\n");
}

static void map_regions(uint32_t options) {
    long code = syscall3(SYS_MEMFD_CREATE, (long)"code", 0, 0);
    if (code < 0 || syscall3(SYS_FTRUNCATE, code, CODE_SIZE, 0))
        quit("native: memfd_create failed\n");
    map((uint64_t)code_alias, CODE_SIZE, PROT_RW, MAP_SHARED, code);
    map(CODE_BASE, CODE_SIZE, PROT_READ, MAP_SHARED, code);
    map((uint64_t)code64, RECODE_ROOM, PROT_RWX, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    map(ARENA_BASE, ARENA_SIZE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    map(RO_BASE, RO_SIZE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    map(STACK_BASE, STACK_SIZE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (options & OPT_LOW)
        map(LOW_BASE, LOW_SIZE, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    world_init(&world);
    if (syscall3(SYS_MPROTECT, RO_BASE, RO_SIZE, PROT_READ))
        quit("native: mprotect failed\n");
}

static void handle_signals(void) {
    static const uint8_t signals[] = {4, 5, 7, 8, 11, SIGVTALRM};
    uint64_t alt[3] = {(uint64_t)stack_signal, 0, sizeof stack_signal};
    uint64_t timer[4] = {0, 300000, 0, 300000};
    syscall3(SYS_SIGALTSTACK, (long)alt, 0, 0);
    for (uint32_t i = 0; i < sizeof signals; i++) {
        struct ksigaction a = {(uint64_t)on_signal_entry, SA_FLAGS, (uint64_t)signal_return, ~0ull};
        if (syscall6(SYS_RT_SIGACTION, signals[i], (long)&a, 0, 8, 0, 0))
            quit("native: sigaction failed\n");
    }
    syscall3(SYS_SETITIMER, ITIMER_VIRTUAL, (long)timer, 0);
}

__attribute__((used)) void native_main(const uint64_t *args) {
    const char *option = args[0] > 1 ? (const char *)args[2] : "";
    full = option[0] == '-' && option[1] == 'f';
    stepping = option[0] == '-' && option[1] == 's';
    uint32_t have = 0;
    for (;;) {
        long n = syscall3(SYS_READ, 0, (long)file + (long)have, (long)(sizeof file - have));
        if (n < 0)
            quit("native: read failed\n");
        if (n == 0)
            break;
        have += (uint32_t)n;
    }
    const struct case_file *f = (const struct case_file *)file;
    if (have < sizeof *f || have == sizeof file || f->magic != CASE_MAGIC)
        quit("native: no case file\n");
    total = f->cases;
    world.options = f->options;
    world.eflags_mask = f->eflags_mask;
    world.error_mask = f->error_mask;
    if (option[0] == '-' && option[1] == 'g') {
        put((const uint32_t[GDT_ENTRIES][2]){{0}}, sizeof f->gdt);
        flush();
        quit("");
    }
    map_regions(f->options);
    handle_signals();
    __asm__ volatile("hlt");
    quit("native: not reached\n");
}
