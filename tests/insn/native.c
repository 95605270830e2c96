/*
 * Native runner of the differential instruction test: a static 32-bit Linux program without libc.
 * Reads a case file on standard input and writes, per case, the hash of its outcome; with the
 * argument "-f" the whole outcome, the number of changed doublewords, and these. With "-s" it
 * single-steps all cases and writes per case how many instructions it executed, a repeated one
 * counted once, and whether a repeated one has overwritten itself, which ends the case there.
 * Behind an IRET the rest of a case goes unseen. With "-g" it runs nothing, but writes what LAR and
 * LSL say of each entry of the GDT.
 *
 * A case runs between two signals: the handler records how the last one ended, puts the next one's
 * registers into the signal frame and returns into it through case_entry. Nothing but this image
 * and the regions of world.h stays mapped, so that wild addresses fault as they do in the guest.
 */
#include "tests/insn/world.h"

#define SYS_EXIT         1
#define SYS_READ         3
#define SYS_WRITE        4
#define SYS_MUNMAP       91
#define SYS_SETITIMER    104
#define SYS_MODIFY_LDT   123
#define SYS_MPROTECT     125
#define SYS_SIGACTION    174
#define SYS_SIGALTSTACK  186
#define SYS_MMAP2        192
#define SIGVTALRM        26
#define ITIMER_VIRTUAL   1 /* the process's own time: others do not count */
#define PROT_RW          3
#define PROT_RWX         7
#define PROT_READ        1
#define MAP_PRIVATE      2
#define MAP_FIXED        0x10
#define MAP_ANONYMOUS    0x20
#define SA_FLAGS         (4u | 0x04000000u | 0x08000000u) /* SIGINFO, RESTORER, ONSTACK */
#define MAX_CHANGES      256u
#define FILE_BYTES       (2u << 20)
#define EFL_TF           0x100u
#define LONGEST          15u /* bytes of an instruction */
#define FXSAVE_IN_FRAME  112 /* 32-bit signal frames: behind the FSAVE image */
#define PAGEFAULT_IFETCH 0x10u

static long syscall6(long nr, long a, long b, long c, long d, long e, long f) {
    long r;
    __asm__ volatile("pushl %%ebp\n\t"
                     "movl %[f], %%ebp\n\t"
                     "int $0x80\n\t"
                     "popl %%ebp"
                     : "=a"(r)
                     : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "m"(f)
                     : "memory");
    return r;
}

static long syscall3(long nr, long a, long b, long c) {
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return r;
}

static _Noreturn void quit(const char *why) {
    uint32_t n = 0;
    while (why[n])
        n++;
    syscall3(SYS_WRITE, 2, (long)why, (long)n);
    for (;;)
        syscall3(SYS_EXIT, n ? 2 : 0, 0, 0);
}

/* Signal frame of a 32-bit process, from the kernel's user interface. */
struct mcontext {
    uint32_t gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags;
    uint32_t esp_at_signal, ss, fpstate, oldmask, cr2;
};

struct ucontext {
    uint32_t flags, link, stack[3];
    struct mcontext m;
};

struct ksigaction {
    uint32_t handler, flags, restorer, mask[2];
};

/* What case_entry loads; the rest comes with the signal frame. */
struct entry {
    uint8_t fx[512];
    uint32_t eflags, esp, eip;
    uint16_t ds, es, fs, gs;
};
static struct entry entry __attribute__((aligned(64), used));

static uint8_t stack_main[16384] __attribute__((aligned(64), used));
static uint8_t stack_signal[65536] __attribute__((aligned(64)));
static uint32_t file[FILE_BYTES / 4] __attribute__((aligned(4096)));
static uint8_t output[65536];
static uint32_t output_used;
static int full, stepping;
static const struct test_case *current, *loaded;
static uint32_t done, total, ticks;

/* What the single steps of a case have shown so far. */
static struct {
    uint32_t at;           /* linear address of the instruction that runs */
    uint8_t code[LONGEST]; /* its prefixes and opcode, as they were when it began */
    uint32_t code_bytes;   /* 0: not where cases have code */
    uint32_t executed;
    uint32_t overwritten; /* a repeated instruction, by itself */
    uint32_t left;        /* steps to the case's end, for it has set TF itself; 0: it has not */
} step;

static struct world world = {.code = (uint8_t *)CODE_BASE,
                             .low = (uint8_t *)LOW_BASE,
                             .arena = (uint8_t *)ARENA_BASE,
                             .ro = (uint8_t *)RO_BASE,
                             .stack = (uint8_t *)STACK_BASE};

extern uint8_t image_start[], image_end[];
void case_entry(void);
void signal_return(void);
__asm__(".globl _start, case_entry, signal_return\n"
        "_start:\n"
        "    movl %esp, %eax\n"
        "    movl $stack_main + 16384, %esp\n"
        "    pushl %eax\n"
        "    call native_main\n"
        "case_entry:\n"
        "    movl $entry + 512, %esp\n" /* eflags */
        "    popfl\n"
        "    movl %cs:entry + 516, %esp\n"
        "    fxrstor %cs:entry\n"
        "    movw %cs:entry + 524, %ds\n"
        "    movw %cs:entry + 526, %es\n"
        "    movw %cs:entry + 528, %fs\n"
        "    movw %cs:entry + 530, %gs\n"
        "    jmp *%cs:entry + 520\n"
        "signal_return:\n"
        "    movl $173, %eax\n"
        "    int $0x80\n");

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

static void record(const struct mcontext *m, uint32_t vector) {
    struct outcome o = {.vector = vector,
                        .error = m->err,
                        .cr2 = m->cr2,
                        .eip = m->eip,
                        .eflags = m->eflags,
                        .gpr = {m->eax, m->ecx, m->edx, m->ebx, m->esp, m->ebp, m->esi, m->edi},
                        .seg = {m->es & 0xffff, m->cs & 0xffff, m->ss & 0xffff, m->ds & 0xffff,
                                m->fs & 0xffff, m->gs & 0xffff}};
    if (vector == 14)
        o.error &= ~PAGEFAULT_IFETCH; /* the guest kernel has no NX, so it never sees this bit */
    world_finish(&world, (const uint8_t *)m->fpstate + FXSAVE_IN_FRAME, &o);
    if (full) {
        static struct patch changes[MAX_CHANGES];
        uint32_t n = world_changes(&world, current, changes, MAX_CHANGES);
        put(&o, sizeof o);
        put(&n, 4);
        put(changes, n * sizeof *changes);
    } else {
        uint32_t h = world_hash(&o);
        put(&h, 4);
    }
}

static void set_ldt(uint32_t number, const uint32_t *d) {
    /* struct user_desc: number, base, limit, then seg_32bit, contents:2, read_exec_only,
     * limit_in_pages, seg_not_present, useable; this one makes the entry empty */
    uint32_t user[4] = {number, 0, 0, 1u << 3 | 1u << 5};
    uint32_t access = d[DESC_ACCESS], flags = d[DESC_FLAGS];
    if (access) {
        user[1] = d[DESC_BASE];
        user[2] = d[DESC_LIMIT];
        user[3] = (flags >> 1 & 1) | (access >> 2 & 3) << 1 | (~access >> 1 & 1) << 3 |
                  (flags & 1) << 4 | (~access >> 7 & 1) << 5;
    }
    if (syscall3(SYS_MODIFY_LDT, 0x11, (long)user, sizeof user))
        quit("native: modify_ldt failed\n");
}

/* The entries of the case's own, if they are not those of the case before. */
static void set_own_ldt(const struct test_case *c) {
    static uint32_t now[LDT_OWN][DESC_WORDS];
    for (uint32_t i = 0; i < LDT_OWN; i++) {
        uint32_t differ = 0;
        for (uint32_t k = 0; k < DESC_WORDS; k++) {
            differ |= now[i][k] ^ c->ldt[i][k];
            now[i][k] = c->ldt[i][k];
        }
        if (differ)
            set_ldt(LDT_ENTRIES + i, c->ldt[i]);
    }
}

static uint32_t segment_base(uint32_t selector) {
    const struct case_file *f = (const struct case_file *)file;
    uint32_t i = (selector & 0xffff) >> 3;
    if (!(selector & 4) || i >= LDT_ENTRIES + LDT_OWN)
        return 0;
    return i < LDT_ENTRIES ? f->ldt[i][DESC_BASE] : current->ldt[i - LDT_ENTRIES][DESC_BASE];
}

static int is_32bit(uint32_t selector) {
    uint32_t rights;
    __asm__("larl %1, %0" : "=r"(rights) : "r"(selector) : "cc");
    return rights >> 22 & 1; /* D or B */
}

/* The second byte, with TF in it, of the flags image that is so far above SS:ESP, or NULL. */
static uint8_t *flags_image(const struct mcontext *m, uint32_t above) {
    static const uint32_t pages[] = {ARENA_BASE, ARENA_BASE + 0x1000, STACK_BASE};
    uint32_t esp = is_32bit(m->ss) ? m->esp + above : (m->esp + above) & 0xffff;
    uint32_t at = segment_base(m->ss) + esp + 1;
    for (uint32_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (at - pages[i] < 0x1000)
            return (uint8_t *)at;
    return 0;
}

static int is_prefix(uint8_t b) {
    return b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || (b >= 0x64 && b <= 0x67) ||
           b == 0xf2 || b == 0xf3;
}

/* Reads prefixes and opcode of the next instruction. */
static void step_begin(uint32_t at) {
    step.at = at;
    step.code_bytes = 0;
    for (uint32_t i = 0; i < LONGEST && at + i - CODE_BASE < CODE_SIZE; i++) {
        step.code[i] = *(const uint8_t *)(at + i);
        if (!is_prefix(step.code[i])) {
            step.code_bytes = i + 1;
            break;
        }
    }
}

static uint8_t step_opcode(void) {
    return step.code_bytes ? step.code[step.code_bytes - 1] : 0;
}

/* Whether MOVS or STOS is under way and no longer what it was. */
static int step_overwritten(void) {
    uint8_t opcode = step_opcode();
    if (opcode != 0xa4 && opcode != 0xa5 && opcode != 0xaa && opcode != 0xab)
        return 0;
    for (uint32_t i = 0; i < step.code_bytes; i++)
        if (*(const uint8_t *)(step.at + i) != step.code[i])
            return 1;
    return 0;
}

/* flags_image() of what the instruction at hand pops: POPF, or IRETD in 32-bit code; else NULL. */
static uint8_t *popped_flags(const struct mcontext *m) {
    if (step_opcode() == 0x9d)
        return flags_image(m, 0);
    return step_opcode() == 0xcf && step.code_bytes == 1 && is_32bit(m->cs) ? flags_image(m, 8) : 0;
}

/* Whether this is a step within the case and not its end. TF is kept out of the flags that the case
 * pushes and in those that it pops. */
static int step_on(struct mcontext *m, uint32_t vector) {
    if (!current || vector != 1 || !(m->eflags & EFL_TF) || step.left == 1)
        return 0;
    if (m->eip >= (uint32_t)image_start && m->eip < (uint32_t)image_end)
        return 1; /* case_entry */
    uint32_t at = segment_base(m->cs) + m->eip;
    uint8_t *image = flags_image(m, 0);
    if (at == step.at && step_overwritten()) {
        step.overwritten = 1;
        return 0;
    }
    if (step_opcode() == 0x9c && image)
        *image &= (uint8_t) ~(EFL_TF >> 8);
    step.executed += at != step.at;
    step_begin(at);
    if (step.left)
        step.left--;
    else if ((image = popped_flags(m)) && *image & EFL_TF >> 8)
        step.left = 2;
    else if (image)
        *image |= EFL_TF >> 8;
    return 1;
}

static void start_case(struct mcontext *m) {
    const struct test_case *c = current;
    if (current == loaded)
        loaded = world_load_codes(&world, current, total - done);
    world_load_code(&world, c); /* a wild store may have hit it */
    world_prepare(&world, c, entry.fx);
    set_own_ldt(c);
    m->eax = c->gpr[0];
    m->ecx = c->gpr[1];
    m->edx = c->gpr[2];
    m->ebx = c->gpr[3];
    m->ebp = c->gpr[5];
    m->esi = c->gpr[6];
    m->edi = c->gpr[7];
    entry.esp = c->gpr[4];
    entry.eflags = c->eflags | (stepping ? EFL_TF : 0);
    entry.eip = c->code_address;
    step.executed = step.overwritten = step.left = 0;
    step_begin(c->code_address);
    entry.ds = c->seg[0];
    entry.es = c->seg[1];
    entry.fs = c->seg[2];
    entry.gs = c->seg[3];
    m->eip = (uint32_t)case_entry;
    m->eflags = 0x202;
    m->cs = USER_CS;
    m->ds = m->es = m->ss = USER_DS;
    m->fs = m->gs = 0;
}

static void on_signal(int number, void *info, struct ucontext *u) {
    (void)info;
    struct mcontext *m = &u->m;
    uint32_t vector = m->trapno;
    if (number == SIGVTALRM) {
        if (!current || ++ticks < 3)
            return;
        vector = VEC_TIMEOUT;
    }
    if (stepping && step_on(m, vector))
        return;
    if (current) {
        if (stepping) {
            put(&step.executed, sizeof step.executed);
            put(&step.overwritten, sizeof step.overwritten);
        } else {
            record(m, vector);
        }
        current = world_next(current);
        done++;
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

static _Noreturn void show_gdt(void) {
    for (uint32_t i = 0; i < GDT_ENTRIES; i++) {
        uint32_t found[2] = {0, 0}; /* as it stays for what user code cannot see */
        __asm__("larl %2, %0\n\tlsll %2, %1"
                : "+&r"(found[0]), "+&r"(found[1])
                : "r"(8 * i + 3)
                : "cc");
        put(found, sizeof found);
    }
    flush();
    quit("");
}

static void map(uint32_t base, uint32_t size, long access) {
    long r = syscall6(SYS_MMAP2, (long)base, (long)size, access,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if ((uint32_t)r != base)
        quit("native: mmap failed\n");
}

__attribute__((used)) void native_main(const uint32_t *args) {
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

    if (option[0] == '-' && option[1] == 'g')
        show_gdt();

    uint32_t low = (uint32_t)image_start & ~0xfffu, high = ((uint32_t)image_end + 0xfffu) & ~0xfffu;
    syscall3(SYS_MUNMAP, 0, (long)low, 0);
    if (syscall3(SYS_MUNMAP, (long)high, (long)(0xffffe000u - high), 0))
        quit("native: munmap failed\n");
    map(CODE_BASE, CODE_SIZE, PROT_RWX);
    map(ARENA_BASE, ARENA_SIZE, PROT_RW);
    map(RO_BASE, RO_SIZE, PROT_RW);
    map(STACK_BASE, STACK_SIZE, PROT_RW);
    if (f->options & OPT_LOW)
        map(LOW_BASE, LOW_SIZE, PROT_RW);
    world_init(&world);
    if (syscall3(SYS_MPROTECT, RO_BASE, RO_SIZE, PROT_READ))
        quit("native: mprotect failed\n");
    if (syscall3(SYS_MPROTECT, (long)file, sizeof file, PROT_READ))
        quit("native: mprotect failed\n");
    for (uint32_t i = 0; i < LDT_ENTRIES; i++)
        set_ldt(i, f->ldt[i]);
    static const uint32_t empty[DESC_WORDS];
    for (uint32_t i = 0; i < LDT_OWN; i++) /* the table has its full size from the start */
        set_ldt(LDT_ENTRIES + i, empty);

    uint32_t alt[3] = {(uint32_t)stack_signal, 0, sizeof stack_signal};
    syscall3(SYS_SIGALTSTACK, (long)alt, 0, 0);
    static const uint8_t signals[] = {4, 5, 7, 8, 11, SIGVTALRM};
    for (uint32_t i = 0; i < sizeof signals; i++) {
        struct ksigaction a = {(uint32_t)on_signal, SA_FLAGS, (uint32_t)signal_return, {~0u, ~0u}};
        if (syscall6(SYS_SIGACTION, signals[i], (long)&a, 0, 8, 0, 0))
            quit("native: sigaction failed\n");
    }
    uint32_t timer[4] = {0, 300000, 0, 300000};
    syscall3(SYS_SETITIMER, ITIMER_VIRTUAL, (long)timer, 0);
    __asm__ volatile("hlt");
    quit("native: not reached\n");
}
