/* Code that another program chose, for a fuzzer that looks at what the monitor does with it
 * (afl/run). The first Multiboot module is the input:
 *
 *   0      mode: bits 0-1 real, real with 4 GiB limits, protected, virtual-8086; bits 2-3 paging
 *          (none, 32-bit, PAE, 32-bit with large pages); bit 4 ring 3
 *   1      segments of protected mode: enum below
 *   2-3    FLAGS; IF is always set, TF only outside real mode
 *   4      CR0 and CR4: enum below
 *   5      bit 0: AC, bits 1-3: a breakpoint's kind
 *   6-7    added to ESP
 *   8-35   EAX, ECX, EDX, EBX, EBP, ESI, EDI
 *   36...  code, in lines of 16 bytes
 *
 * The code is entered at its beginning and, after each exception, interrupt or tick of the timer,
 * at the line behind; general registers stay as they are. Two ticks end it. It says how many
 * entries it came to: user code without I/O privilege must not keep it from that. */
#include "fuzz.h"
#include "real.h"

enum { KIND_REAL, KIND_BIG_REAL, KIND_PROTECTED, KIND_V86 };
enum { PAGING_NONE, PAGING_32, PAGING_PAE, PAGING_LARGE };
enum {
    SEGMENT_DS_LIMIT = 1, /* 7FFh */
    SEGMENT_ES_DOWN = 2,  /* expand-down */
    SEGMENT_SS_LIMIT = 4,
    SEGMENT_CS_LIMIT = 8, /* and base: the code's */
    SEGMENT_CS16 = 16,
    SEGMENT_SS16 = 32,
    SEGMENT_FS_READ = 64, /* read-only, with a base */
    SEGMENT_GS_NULL = 128,
};
enum {
    CONTROL_TS = 1,
    CONTROL_EM = 2,
    CONTROL_MP = 4,
    CONTROL_NO_WP = 8,
    CONTROL_AM = 16,
    CONTROL_NO_SSE = 32,
    CONTROL_TSD = 64,
    CONTROL_NO_NE = 128,
};
enum { HEAD = 36, LINE = 16, ENTRIES = 24, TICKS = 2, CODE_BYTES = 4096, ODD_PAGES = 0x00A00000 };

static struct {
    uint8_t mode, segments;
    uint16_t flags;
    uint8_t control, debug;
    uint16_t esp;
    uint32_t gprs[7];
    uint8_t code[CODE_BYTES];
} input;
_Static_assert(offsetof(typeof(input), code) == HEAD, "see above");
static uint32_t code_bytes, ticks;

static uint32_t kind(void) {
    return input.mode & 3;
}

static uint32_t kind_of_paging(void) {
    return kind() < KIND_PROTECTED ? PAGING_NONE : input.mode >> 2 & 3;
}

void fuzz_input_mode(void) {
    const uint32_t *info = (const uint32_t *)boot_info; /* 5, 6: number of modules, their list */
    if (!info[5]) {
        printf("no module\n");
        power_off();
    }
    const uint32_t *module = (const uint32_t *)info[6];
    uint32_t bytes = module[1] - module[0];
    if (bytes > sizeof input)
        bytes = sizeof input;
    __builtin_memcpy(&input, (const void *)module[0], bytes);
    code_bytes = bytes > HEAD ? bytes - HEAD : 0;
    fuzz.pae = kind_of_paging() == PAGING_PAE;
    fuzz.paging = kind_of_paging() != PAGING_NONE;
    fuzz.v86 = kind() == KIND_V86;
    fuzz.ring3 = kind() == KIND_PROTECTED && input.mode & 16;
}

/* Sixteen pages with every combination of rights, then the code again and a device. */
static void odd_pages(void) {
    for (uint32_t i = 0; i < 18; i++) {
        uint32_t gla = ODD_PAGES + i * 4096, frame = gla, entry = ~i & (PTE_P | PTE_W | PTE_U);
        if (i & 8)
            entry |= PTE_G;
        if (i >= 16) {
            frame = i == 16 ? FUZZ_CODE : 0xA0000;
            entry = PTE_ALL;
        }
        if (fuzz.pae)
            paging_pae_set(gla, frame | entry);
        else
            paging_set(gla, frame | entry);
    }
    if (kind_of_paging() == PAGING_LARGE)
        for (uint32_t gla = 0x01000000; gla < FUZZ_RAM; gla += 0x400000)
            *paging_pde(gla) = gla | PTE_ALL | PTE_PS;
    paging_flush();
}

static void control(void) {
    uint32_t c = input.control;
    fuzz.cr0 &= ~(CR0_MP | CR0_AM | CR0_WP | CR0_NE);
    fuzz.cr0 |= (c & CONTROL_MP ? CR0_MP : 0) | (c & CONTROL_AM ? CR0_AM : 0) |
                (c & CONTROL_NO_WP ? 0 : CR0_WP) | (c & CONTROL_NO_NE ? 0 : CR0_NE);
    fuzz.cr4 |= CR4_PGE | (c & CONTROL_TSD ? CR4_TSD : 0);
    if (c & CONTROL_NO_SSE)
        fuzz.cr4 &= ~(uint32_t)(CR4_OSFXSR | CR4_OSXMMEXCPT);
    restore();
}

/* Puts a descriptor into slot n of the test's own; returns its selector. */
static uint32_t segment(uint32_t n, uint32_t base, uint32_t limit, uint8_t access, uint8_t flags) {
    uint8_t dpl = fuzz.ring3 ? ACCESS_DPL3 : 0;
    uint16_t selector = (uint16_t)(SEL_FUZZ + n * 8);
    gdt_set(selector, descriptor(base, limit, ACCESS_P | dpl | access, flags));
    return selector | (fuzz.ring3 ? 3 : 0);
}

/* What can be reached through selectors 90h... and vectors 30h-32h, from ring 3, too: call gates, a
 * task, other segments. Nothing that leads to code of another ring, so user code remains that. */
static void gates(void) {
    static struct tss task; /* out of user code's reach */
    static uint8_t task_stack[256];
    const uint16_t code = fuzz.ring3 ? SEL_CODE3 : SEL_CODE0;
    const uint16_t data = fuzz.ring3 ? SEL_DATA3 : SEL_DATA0;
    const uint8_t access = ACCESS_P | ACCESS_DPL3;
    task =
        (struct tss){.esp0 = STACK_TRAP,
                     .ss0 = SEL_DATA0,
                     .cr3 = fuzz.cr3,
                     .eip = FUZZ_CODE + 2 * LINE,
                     .eflags = 2 | FLAG_IF,
                     .eax = 1,
                     .esp = fuzz.ring3 ? STACK_RING3 : (uint32_t)(task_stack + sizeof task_stack),
                     .ebx = FUZZ_FREE,
                     .cs = code,
                     .ss = data,
                     .ds = data,
                     .es = data,
                     .io_base = sizeof task};
    tss.cr3 = fuzz.cr3; /* for the way back from the task */
    const uint64_t slots[] = {
        gate(code, FUZZ_CODE + 2 * LINE, access | ACCESS_CALL_GATE, 0),
        gate(code, FUZZ_CODE + 2 * LINE, access | ACCESS_CALL_GATE16, 0),
        descriptor((uint32_t)&task, sizeof task - 1, access | ACCESS_TSS, 0),
        gate(SEL_FUZZ + 10 * 8, 0, access | ACCESS_TASK_GATE, 0),
        descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K),
        descriptor(0, 0xFFFFF, access | ACCESS_CODE, FLAG_SEG_32_4K),
        descriptor(0, 0xFFFFF, ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K), /* not present */
        descriptor(FUZZ_FREE + 1, 0xFFFFF, access | ACCESS_DATA_RW, FLAG_SEG_32_4K),
    };
    for (uint32_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        gdt_set((uint16_t)(SEL_FUZZ + (8 + i) * 8), slots[i]);
    idt[0x30] = gate(SEL_CODE0, idt_entry(0x30), access | ACCESS_TRAP_GATE, 0);
    idt[0x31] = gate(SEL_FREE, 0, access | ACCESS_INT_GATE, 0); /* no code segment */
    idt[0x32] = gate(SEL_FUZZ + 10 * 8, 0, access | ACCESS_TASK_GATE, 0);
}

/* The segments that the input asks for instead of flat ones. */
static void segments(struct regs *in) {
    uint8_t s = input.segments;
    if (s & SEGMENT_DS_LIMIT)
        in->ds = segment(0, FUZZ_FREE, 0x7FF, ACCESS_DATA_RW, FLAG_SEG_B);
    if (s & SEGMENT_ES_DOWN)
        in->es = segment(1, FUZZ_FREE, 0xFFF, ACCESS_DATA_DOWN, s & SEGMENT_SS16 ? 0 : FLAG_SEG_B);
    if (s & (SEGMENT_SS_LIMIT | SEGMENT_SS16)) {
        in->ss = segment(2, FUZZ_FREE + 0x10000, s & SEGMENT_SS_LIMIT ? 0x7FFF : 0xFFFF,
                         ACCESS_DATA_RW, s & SEGMENT_SS16 ? 0 : FLAG_SEG_B);
        in->esp = 0x7000;
    }
    if (s & (SEGMENT_CS_LIMIT | SEGMENT_CS16)) {
        in->cs = segment(3, FUZZ_CODE, s & SEGMENT_CS_LIMIT ? 0x5FF : 0xFFFF, ACCESS_CODE_R,
                         s & SEGMENT_CS16 ? 0 : FLAG_SEG_B);
        in->eip -= FUZZ_CODE;
    }
    if (s & SEGMENT_FS_READ)
        in->fs = segment(4, FUZZ_FREE + 4, 0xFFFFF, ACCESS_DATA, FLAG_SEG_32_4K);
    if (s & SEGMENT_GS_NULL)
        in->gs = 0;
}

/* What the kernel itself does not run with; restore() ends it. */
static void refuse_fpu(void) {
    write_cr0(read_cr0() | (input.control & CONTROL_TS ? CR0_TS : 0) |
              (input.control & CONTROL_EM ? CR0_EM : 0));
}

/* A breakpoint in the code or on what it reads or writes (SDM vol 3B, 17.2). */
static void breakpoint(void) {
    static const uint32_t at[] = {FUZZ_CODE + 8, FUZZ_CODE + 8, FUZZ_FREE, FUZZ_FREE};
    static const uint32_t what[] = {0x1, 0x2000, 0xD0001, 0xF0001};
    uint32_t choice = input.debug >> 1 & 7;
    if (choice >= 4) {
        write_dr0(at[choice - 4]);
        write_dr7(0x400 | what[choice - 4]);
    }
}

/* Channel 0, mode 0: one tick in 5.2 ms, so that none is pending when the code is entered. */
static void limit_time(void) {
    outb(0x43, 0x30);
    outb(0x40, 0);
    outb(0x40, 0x18);
}

/* Each enters the code at an offset and returns that at which it was left. */
static uint32_t enter_real(uint32_t at) {
    struct real in = real_regs(), out;
    in.eip = at;
    in.eflags = (input.flags & ~(uint32_t)FLAG_TF) | FLAG_IF;
    in.esp += input.esp;
    in.hidden = kind() == KIND_BIG_REAL;
    __builtin_memcpy(&in.eax, input.gprs, 4 * sizeof in.eax);
    __builtin_memcpy(&in.ebp, input.gprs + 4, 3 * sizeof in.eax);
    refuse_fpu();
    limit_time();
    real_run(&in, &out);
    write_dr7(0);
    __builtin_memcpy(input.gprs, &out.eax, 4 * sizeof in.eax);
    __builtin_memcpy(input.gprs + 4, &out.ebp, 3 * sizeof in.eax);
    if ((out.vector & 0xFF) == VECTOR_IRQ) {
        ticks++;
        pic_eoi(0);
    }
    restore();
    return out.eip;
}

static uint32_t enter_protected(uint32_t at) {
    struct regs in =
        fuzz.ring3 ? regs_ring3((void *)(FUZZ_CODE + at)) : regs_ring0((void *)(FUZZ_CODE + at));
    in.eflags = input.flags | FLAG_IF | (input.debug & 1 ? FLAG_AC : 0);
    if (fuzz.v86) {
        in.eflags |= FLAG_VM;
        in.cs = FUZZ_CODE16 >> 4;
        in.eip = at;
        in.ss = 0x4000;
        in.esp = 0x8000;
        in.ds = in.es = in.fs = in.gs = 0x5000;
    } else {
        segments(&in);
    }
    gates();
    in.esp += input.esp;
    uint32_t begin = in.eip - at;
    uint32_t *gprs[] = {&in.eax, &in.ecx, &in.edx, &in.ebx, &in.ebp, &in.esi, &in.edi};
    for (uint32_t i = 0; i < 7; i++)
        *gprs[i] = input.gprs[i];
    refuse_fpu();
    limit_time();
    breakpoint();
    attempt_from(&in);
    ticks += trap.vector == VECTOR_IRQ;
    const struct regs *out = &trap.regs;
    const uint32_t left[] = {out->eax, out->ecx, out->edx, out->ebx, out->ebp, out->esi, out->edi};
    __builtin_memcpy(input.gprs, left, sizeof left);
    return out->eip - begin;
}

void fuzz_input(void) {
    bool real = kind() < KIND_PROTECTED;
    if (fuzz.paging)
        odd_pages();
    control();
    __builtin_memcpy((void *)(real       ? REAL_CODE
                              : fuzz.v86 ? FUZZ_CODE16
                                         : FUZZ_CODE),
                     input.code, code_bytes);
    uint32_t entries = 0;
    for (uint32_t at = 0; at < code_bytes && entries < ENTRIES && ticks < TICKS; entries++) {
        uint32_t left = real ? enter_real(at) : enter_protected(at);
        if (left < at || left >= code_bytes)
            left = at;
        at = (left & ~(uint32_t)(LINE - 1)) + LINE;
    }
    printf("%u entries\n", entries);
}
