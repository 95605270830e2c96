/*
 * Guest kernel of the differential instruction test. Takes a case file as its first Multiboot
 * module, runs every case in ring 3 under the same linear layout and selectors as the native runner
 * and compares the outcome's hash with the expected one. On COM1 it says
 *
 *   insn: <cases>              at the start
 *   @ <case>                   progress (every 64 cases, or every case with OPT_VERBOSE)
 *   H <hash>                   of every case, in order (OPT_SAY)
 *   D <case> <hex> <checksum>  an unexpected outcome: struct outcome, count, changed doublewords
 *   insn: done <differing>     at the end, or after MAX_DUMPS unexpected outcomes; then it turns
 * the machine off (QEMU's ISA port 0x604)
 *
 * Memory: kernel and module identity-mapped for the supervisor; a case's regions are pages of this
 * image mapped for the user at the addresses of world.h (Intel SDM vol. 3A section 4.3).
 */
#include <stdbool.h>

#include "tests/insn/world.h"

#define MAX_DUMPS   32u /* then the runner starts a fresh guest: this one may be corrupted */
#define MAX_CHANGES 256u
#define COM1        0x3f8u
#define PIC1        0x20u
#define PIC2        0xa0u
#define PIT         0x40u
#define IRQ_BASE    0x70u
#define SLOWEST     65535u
#define TIMEOUT     1966080u /* timer cycles: 1.6 s */
#define PTE_D       0x40u

struct frame {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, ignored, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags, esp, ss;
};

struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, type;
    uint16_t offset_high;
};

struct table_register {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

extern uint8_t trap_entries[], trap_return[], trap_iret[], kernel_end[];
uint8_t kernel_stack[16384] __attribute__((aligned(16)));
uint8_t kernel_fx[512] __attribute__((aligned(16)));
__asm__(".globl kernel_stack_end\n.set kernel_stack_end, kernel_stack + 16384");

static uint8_t code_pages[CODE_SIZE] __attribute__((aligned(4096)));
static uint8_t code_before[CODE_SIZE]; /* as they were when the case began */
static uint8_t data_pages[5][4096] __attribute__((aligned(4096)));
static uint32_t page_directory[1024] __attribute__((aligned(4096)));
static uint32_t page_tables[4][1024] __attribute__((aligned(4096)));
static uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(8)));
static uint64_t ldt[LDT_ENTRIES + LDT_OWN] __attribute__((aligned(8)));
static struct gate idt[256] __attribute__((aligned(8)));
static uint32_t tss[26];
static struct world world = {.code = code_pages,
                             .low = data_pages[0],
                             .arena = data_pages[1],
                             .ro = data_pages[3],
                             .stack = data_pages[4]};

static const struct case_file *file;
static const struct test_case *current, *loaded;
static uint32_t done, differing;
static uint32_t period, elapsed; /* timer cycles: between interrupts, and since the case began */

static void out8(uint16_t port, uint8_t v) {
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static uint8_t in8(uint16_t port) {
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void put_char(char c) {
    while (!(in8(COM1 + 5) & 0x20))
        ;
    out8(COM1, (uint8_t)c);
}

static void put_text(const char *s) {
    while (*s)
        put_char(*s++);
}

static void put_hex(uint32_t v, uint32_t digits) {
    while (digits)
        put_char("0123456789abcdef"[v >> 4 * --digits & 15]);
}

static uint32_t put_bytes(const void *data, uint32_t n) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t b = ((const uint8_t *)data)[i];
        put_hex(b, 2);
        sum += b;
    }
    return sum;
}

static _Noreturn void power_off(void) {
    __asm__ volatile("outw %0, %1" : : "a"((uint16_t)0x2000), "d"((uint16_t)0x604));
    for (;;)
        __asm__ volatile("cli; hlt");
}

static _Noreturn void panic(const char *why, uint32_t a, uint32_t b) {
    put_text("insn: panic: ");
    put_text(why);
    put_char(' ');
    put_hex(a, 8);
    put_char(' ');
    put_hex(b, 8);
    put_char('\n');
    power_off();
}

/* -- machine set-up ------------------------------------------------------------------------------
 */

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t access, uint32_t flags) {
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void set_ldt(uint32_t first, const uint32_t (*d)[DESC_WORDS], uint32_t n) {
    for (uint32_t i = 0; i < n; i++, d++)
        ldt[first + i] = (*d)[DESC_ACCESS]
                             ? descriptor((*d)[DESC_BASE], (*d)[DESC_LIMIT], (*d)[DESC_ACCESS],
                                          ((*d)[DESC_FLAGS] & 1) << 3 | ((*d)[DESC_FLAGS] & 2) << 1)
                             : 0;
}

static void load_tables(void) {
    /* Ring-3 selectors as in 64-bit Linux; its kernel selectors are there, with DPL 0, too. */
    gdt[1] = gdt[2] = descriptor(0, 0xfffff, 0x9b, 0xc);
    gdt[3] = descriptor(0, 0xfffff, 0x93, 0xc);
    gdt[4] = descriptor(0, 0xfffff, 0xfb, 0xc);
    gdt[5] = descriptor(0, 0xfffff, 0xf3, 0xc);
    tss[1] = (uint32_t)kernel_stack + sizeof kernel_stack;
    tss[2] = 0x18;
    tss[25] = sizeof tss << 16;
    gdt[8] = descriptor((uint32_t)tss, sizeof tss - 1, 0x89, 0);
    /* What else native code finds there: Linux's 64-bit code segment, and one whose limit is the
     * CPU's number. */
    for (uint32_t i = 1; i < GDT_ENTRIES; i++)
        if (file->gdt[i][0] && !gdt[i])
            gdt[i] = descriptor(0, file->gdt[i][1] >> (file->gdt[i][0] >> 23 & 1 ? 12 : 0),
                                file->gdt[i][0] >> 8 & 0xff, file->gdt[i][0] >> 20 & 15);
    set_ldt(0, file->ldt, LDT_ENTRIES);
    gdt[10] = descriptor((uint32_t)ldt, sizeof ldt - 1, 0x82, 0);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t at = (uint32_t)trap_entries + 16 * i;
        uint8_t type = i == 3 || i == 4 ? 0xee : 0x8e;
        idt[i] = (struct gate){(uint16_t)at, 0x08, 0, type, (uint16_t)(at >> 16)};
    }
    struct table_register g = {sizeof gdt - 1, (uint32_t)gdt};
    struct table_register i = {sizeof idt - 1, (uint32_t)idt};
    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "ljmp $0x08, $1f\n"
                     "1:\n\t"
                     "movw %w2, %%ds\n\t"
                     "movw %w2, %%es\n\t"
                     "movw %w2, %%ss\n\t"
                     "movw %w3, %%fs\n\t"
                     "movw %w3, %%gs\n\t"
                     "ltr %w4\n\t"
                     "lldt %w5"
                     :
                     : "m"(g), "m"(i), "r"(0x18), "r"(0), "r"(8 * 8), "r"(10 * 8)
                     : "memory");
}

static void map(uint32_t *table, uint32_t address, void *page, uint32_t pages, uint32_t flags) {
    page_directory[address >> 22] = (uint32_t)table | 7;
    for (uint32_t i = 0; i < pages; i++)
        table[(address >> 12 & 1023) + i] = ((uint32_t)page + 4096 * i) | flags;
}

static void enable_paging(void) {
    for (uint32_t i = 1; i < 16; i++) /* 64 MiB in 4 MiB pages */
        page_directory[i] = i << 22 | 0x83;
    for (uint32_t i = 0; i < 1024; i++)
        page_tables[0][i] = i << 12 | 3;
    page_directory[0] = (uint32_t)page_tables[0] | 7;
    if (file->options & OPT_LOW)
        map(page_tables[0], LOW_BASE, world.low, 1, 7);
    map(page_tables[1], CODE_BASE, world.code, CODE_SIZE / 4096, 7);
    map(page_tables[2], ARENA_BASE, world.arena, 2, 7);
    map(page_tables[2], RO_BASE, world.ro, 1, 5);
    map(page_tables[3], STACK_BASE, world.stack, 1, 7);
    uint32_t r;
    __asm__ volatile("movl %1, %%cr3\n\t"
                     "movl %%cr4, %0\n\t"
                     "orl $0x610, %0\n\t" /* PSE, OSFXSR, OSXMMEXCPT */
                     "movl %0, %%cr4\n\t"
                     "movl %%cr0, %0\n\t"
                     "andl $~0xc, %0\n\t"      /* EM, TS */
                     "orl $0x80050022, %0\n\t" /* PG, AM, WP, NE, MP */
                     "movl %0, %%cr0\n\t"
                     "jmp 1f\n1:"
                     : "=&r"(r)
                     : "r"(page_directory)
                     : "memory");
}

static void set_timer(uint32_t cycles) {
    period = cycles;
    out8(PIT + 3, 0x34);
    out8(PIT, (uint8_t)cycles);
    out8(PIT, (uint8_t)(cycles >> 8));
}

static void start_timer(void) {
    static const uint8_t setup[][2] = {
        {PIC1, 0x11},     {PIC2, 0x11},     {PIC1 + 1, IRQ_BASE}, {PIC2 + 1, IRQ_BASE + 8},
        {PIC1 + 1, 4},    {PIC2 + 1, 2},    {PIC1 + 1, 1},        {PIC2 + 1, 1},
        {PIC1 + 1, 0xfe}, {PIC2 + 1, 0xff},
    };
    for (uint32_t i = 0; i < sizeof setup / sizeof *setup; i++)
        out8(setup[i][0], setup[i][1]);
    set_timer(file->timer);
}

/* -- cases ---------------------------------------------------------------------------------------
 */

static void progress(void) {
    put_text("@ ");
    put_hex(done, 8);
    put_char('\n');
}

/* Copies the pages that the user has written to since the last call, or all, one way or the other:
 * a case may store into other cases' code, and one that begins again is to find it as it was. */
static void copy_code(uint8_t *to, const uint8_t *from, bool all) {
    uint32_t *ptes = &page_tables[1][CODE_BASE >> 12 & 1023];
    bool any = false;
    for (uint32_t i = 0; i < CODE_SIZE / 4096; i++) {
        if (!all && !(ptes[i] & PTE_D))
            continue;
        for (uint32_t k = 4096 * i; k < 4096 * (i + 1); k++)
            if (to[k] != from[k])
                to[k] = from[k];
        ptes[i] &= ~PTE_D;
        any = true;
    }
    if (any)
        __asm__ volatile("movl %0, %%cr3" : : "r"(page_directory) : "memory");
}

static void start_case(struct frame *f) {
    if (done % 64 == 0 || (world.options & OPT_VERBOSE))
        progress();
    if (done == file->cases || (differing >= MAX_DUMPS && !(world.options & OPT_DUMP))) {
        put_text("insn: done ");
        put_hex(differing, 8);
        put_char('\n');
        power_off();
    }
    bool reload = current == loaded;
    if (reload)
        loaded = world_load_codes(&world, current, file->cases - done);
    const struct test_case *c = current;
    world_load_code(&world, c); /* a wild store may have hit it */
    copy_code(code_before, code_pages, reload);
    world_load_code(&(struct world){.code = code_before}, c); /* not the user's writing: no D */
    world_prepare(&world, c, kernel_fx);
    set_ldt(LDT_ENTRIES, c->ldt, LDT_OWN);
    *f = (struct frame){.gs = c->seg[3],
                        .fs = c->seg[2],
                        .es = c->seg[1],
                        .ds = c->seg[0],
                        .eax = c->gpr[0],
                        .ecx = c->gpr[1],
                        .edx = c->gpr[2],
                        .ebx = c->gpr[3],
                        .esp = c->gpr[4],
                        .ebp = c->gpr[5],
                        .esi = c->gpr[6],
                        .edi = c->gpr[7],
                        .eip = c->code_address,
                        .cs = USER_CS,
                        .eflags = c->eflags,
                        .ss = USER_DS};
}

/* Whether IRET to this stack segment leaves the upper half of ESP as the kernel had it. */
static int stack_is_16bit(uint32_t selector) {
    const uint64_t *d = &ldt[selector >> 3];
    return (selector & 4) && selector >> 3 < LDT_ENTRIES + LDT_OWN && !(*d >> 54 & 1);
}

static void check(const struct outcome *o) {
    uint32_t expect = ((const uint32_t *)(file + 1))[done];
    if (world.options & OPT_SAY) {
        put_text("H ");
        put_hex(world_hash(o), 8);
        put_char('\n');
        return;
    }
    if (world_hash(o) == expect && !(world.options & OPT_DUMP))
        return;
    differing++;
    static struct patch changes[MAX_CHANGES];
    uint32_t n = world_changes(&world, current, changes, MAX_CHANGES);
    put_text("D ");
    put_hex(done, 8);
    put_char(' ');
    uint32_t sum = put_bytes(o, sizeof *o);
    sum += put_bytes(&n, 4);
    sum += put_bytes(changes, n * sizeof *changes);
    put_char(' ');
    put_hex(sum, 8);
    put_char('\n');
}

/* An interrupt may come where the next instruction is beyond the limit of CS. Then IRET has the #GP
 * that fetching would have had (Intel SDM vol. 2A, IRET). Puts the user's place into the frame. */
static bool is_fault_of_fetch(struct frame *f) {
    const uint32_t *iret_frame = &f->esp; /* from ring 0 to ring 0 no stack is pushed */
    if (f->vector != 13 || f->eip != (uint32_t)trap_iret)
        return false;
    f->eip = iret_frame[0];
    f->cs = iret_frame[1];
    f->eflags = iret_frame[2];
    f->ss = iret_frame[4]; /* this order: SS and ESP take EIP's and CS's place */
    f->esp = iret_frame[3];
    return true;
}

void trap(struct frame *f) {
    uint32_t cr2, vector = f->vector;
    __asm__ volatile("movl %%cr2, %0" : "=r"(cr2));
    if ((f->cs & 3) != 3 && !is_fault_of_fetch(f))
        panic("exception in the kernel", vector, f->eip);
    if (vector >= IRQ_BASE && vector < IRQ_BASE + 16) {
        out8(PIC1, 0x20);
        elapsed += period;
        if (elapsed < TIMEOUT) {
            if (stack_is_16bit(f->ss)) {
                copy_code(code_pages, code_before, false);
                start_case(f); /* once again, as the interrupt has left its mark */
                set_timer(SLOWEST);
            }
            return;
        }
        vector = VEC_TIMEOUT;
    }
    struct outcome o = {.vector = vector,
                        .error = f->error,
                        .cr2 = cr2,
                        .eip = f->eip,
                        .eflags = f->eflags,
                        .gpr = {f->eax, f->ecx, f->edx, f->ebx, f->esp, f->ebp, f->esi, f->edi},
                        .seg = {f->es & 0xffff, f->cs & 0xffff, f->ss & 0xffff, f->ds & 0xffff,
                                f->fs & 0xffff, f->gs & 0xffff}};
    world_finish(&world, kernel_fx, &o);
    check(&o);
    current = world_next(current);
    done++;
    elapsed = 0;
    if (period != file->timer)
        set_timer(file->timer);
    start_case(f);
}

void kernel_main(uint32_t magic, const uint32_t *info) {
    out8(COM1 + 3, 0x80);
    out8(COM1, 1);
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 3);
    out8(COM1 + 2, 7);
    if (magic != 0x2badb002 || !(info[0] & 8) || !info[5])
        panic("no Multiboot module", magic, info[0]);
    const uint32_t *module = (const uint32_t *)info[6];
    file = (const struct case_file *)module[0];
    if (file->magic != CASE_MAGIC)
        panic("not a case file", module[0], module[1]);
    world.options = file->options;
    world.eflags_mask = file->eflags_mask;
    world.error_mask = file->error_mask;
    current = loaded = (const struct test_case *)((const uint32_t *)(file + 1) + file->cases);
    load_tables();
    enable_paging();
    world_init(&world);
    start_timer();
    put_text("insn: ");
    put_hex(file->cases, 8);
    put_char('\n');

    static struct frame first;
    start_case(&first);
    __asm__ volatile("movl %0, %%esp\n\t"
                     "fxrstor kernel_fx\n\t"
                     "jmp trap_return"
                     :
                     : "r"(&first));
    __builtin_unreachable();
}
