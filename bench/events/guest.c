/* A Multiboot guest that measures what single events cost, in cycles of its time stamp counter.
 *
 * It arranges memory as operating systems do: kernel pages are supervisor and global, user pages
 * are not, so that no event is measured in a mode that no system uses. What a loop itself costs is
 * measured too and taken off.
 *
 * Prints "clock HEX" at the beginning and the end, so that the reader can compare the counter with
 * its own clock, and in between a line for each event: name, minimum, median, in hundredths of a
 * cycle, separated by tabs. The names are known to bench/harness/events.py.
 */
#include "guest.h"

#include "measure.h"

#define SNIPPETS(X)                                                                                \
    X(plain_nothing)                                                                               \
    X(plain_call)                                                                                  \
    X(plain_jump)                                                                                  \
    X(plain_pushf)                                                                                 \
    X(plain_rdtsc)                                                                                 \
    X(plain_cpuid)                                                                                 \
    X(plain_segment)                                                                               \
    X(user_int80)                                                                                  \
    X(user_sysenter)                                                                               \
    X(user_fault)                                                                                  \
    X(user_divide)                                                                                 \
    X(user_demand)                                                                                 \
    X(kernel_nothing)                                                                              \
    X(kernel_in)                                                                                   \
    X(kernel_cr3)                                                                                  \
    X(kernel_ts)                                                                                   \
    X(kernel_pge)                                                                                  \
    X(kernel_call)                                                                                 \
    X(kernel_jump)                                                                                 \
    X(kernel_int)                                                                                  \
    X(kernel_iret)                                                                                 \
    X(kernel_sti)                                                                                  \
    X(kernel_pushf)                                                                                \
    X(kernel_rdtsc)                                                                                \
    X(kernel_cpuid)                                                                                \
    X(kernel_segment)                                                                              \
    X(kernel_load)                                                                                 \
    X(kernel_pte)                                                                                  \
    X(kernel_invlpg)                                                                               \
    X(kernel_pte_invlpg)                                                                           \
    X(kernel_pte_use)                                                                              \
    X(kernel_switch)                                                                               \
    X(kernel_interrupt)                                                                            \
    X(kernel_interrupt_ports)                                                                      \
    X(plain_jump_target)                                                                           \
    X(kernel_jump_target)                                                                          \
    X(handle_return)                                                                               \
    X(handle_sysenter)                                                                             \
    X(handle_skip_error)                                                                           \
    X(handle_skip)                                                                                 \
    X(handle_demand)                                                                               \
    X(handle_forget)                                                                               \
    X(handle_transmitter)
#define DECLARE(name) extern const uint8_t name[];
SNIPPETS(DECLARE)
extern uint32_t *demand_entry;

enum {
    SPACE2 = ARENA,           /* page directory of the second address space, supervisor */
    PAGE = ARENA + 0x400000,  /* a user page, in a page table of its own */
    OTHER = ARENA + 0x401000, /* the frame PAGE is moved to and fro */
    KERNEL_PAGE = ARENA + 0x800000,
    MMIO = ARENA + 0xC00000, /* mapped to where no device is */
    MMIO_FRAME = 0xE0000000,
    STACK2 = 0x00560000, /* the second task's, below the arena */
    COM1_IRQ = 4,
    MSR_CS = 0x174,
    MSR_ESP = 0x175,
    MSR_EIP = 0x176,
};

static uint32_t run_snippet(void *context, uint32_t rounds) {
    struct regs in = *(const struct regs *)context;
    in.ebp = rounds;
    run(&in);
    if (trap.vector != VECTOR_END) {
        printf("failed: vector %u at %08x\n", trap.vector, trap.regs.eip);
        power_off();
    }
    return trap.regs.eax;
}

static struct cost loop0, loop3;

static void show(const char *name, struct cost cost) {
    printf("event\t%s\t%u\t%u\n", name, cost.minimum, cost.median);
}

static void event(const char *name, const struct regs *in) {
    struct regs copy = *in;
    show(name, cost_less(measure(run_snippet, &copy), in->cs & 3 ? loop3 : loop0));
}

static struct regs user(const void *code, uint32_t ebx) {
    struct regs in = regs_ring3(code);
    in.ebx = ebx;
    return in;
}

static struct regs kernel(const void *code, uint32_t ebx, uint32_t edi, uint32_t ecx) {
    struct regs in = regs_ring0(code);
    in.ebx = ebx;
    in.edi = edi;
    in.ecx = ecx;
    return in;
}

#define USER(name, ...)                                                                            \
    do {                                                                                           \
        struct regs in = user(__VA_ARGS__);                                                        \
        event(name, &in);                                                                          \
    } while (0)
#define KERNEL(name, ...)                                                                          \
    do {                                                                                           \
        struct regs in = kernel(__VA_ARGS__);                                                      \
        event(name, &in);                                                                          \
    } while (0)

static void handle(uint8_t vector, uint8_t dpl, const void *code) {
    idt[vector] = gate(SEL_CODE0, (uint32_t)code, (uint8_t)(ACCESS_P | dpl | ACCESS_INT_GATE), 0);
}

static bool is_user(uint32_t page) {
    return (page >= (uint32_t)plain_nothing && page < (uint32_t)kernel_nothing) ||
           (page < STACK_RING3 && page >= STACK_RING3 - 0x4000) || page == PAGE;
}

static void memory_init(void) {
    paging_init();
    for (uint32_t page = 0; page < 64u << 20; page += 4096)
        *paging_pte(page) = page | PTE_P | PTE_W | (is_user(page) ? PTE_U : PTE_G);
    *paging_pte(MMIO) = MMIO_FRAME | PTE_P | PTE_W | PTE_PCD;
    for (uint32_t i = 0; i < 1024; i++)
        ((uint32_t *)SPACE2)[i] = *paging_pde(i << 22);
    write_cr3(PAGE_TABLES);
    write_cr4(read_cr4() | CR4_PGE);
    write_cr0(read_cr0() | CR0_WP);
}

static void user_events(void) {
    USER("call/ret, ring 3", plain_call, 0);
    USER("indirect jump, ring 3", plain_jump, (uint32_t)plain_jump_target);
    USER("PUSHF/POPF, ring 3", plain_pushf, 0);
    USER("RDTSC, ring 3", plain_rdtsc, 0);
    USER("CPUID, ring 3", plain_cpuid, 0);
    USER("segment load, ring 3", plain_segment, SEL_DATA3);

    handle(0x80, ACCESS_DPL3, handle_return);
    USER("system call INT 80h", user_int80, 0);
    wrmsr(MSR_CS, SEL_CODE0);
    wrmsr(MSR_ESP, STACK_TRAP);
    wrmsr(MSR_EIP, (uint32_t)handle_sysenter);
    USER("system call SYSENTER", user_sysenter, 0);

    uint64_t divide = idt[0], fault = idt[14];
    handle(0, 0, handle_skip);
    USER("divide fault", user_divide, 0);
    idt[0] = divide;
    paging_set(PAGE, 0);
    handle(14, 0, handle_skip_error);
    USER("page fault", user_fault, PAGE);
    demand_entry = paging_pte(PAGE);
    paging_set(PAGE, PAGE | PTE_W | PTE_U);
    handle(14, 0, handle_demand);
    handle(0x81, ACCESS_DPL3, handle_forget);
    USER("demand page", user_demand, PAGE);
    idt[14] = fault;
}

static void paging_events(void) {
    uint32_t entry = (uint32_t)paging_pte(PAGE), cr4 = read_cr4();
    paging_set(PAGE, PAGE | PTE_P | PTE_W | PTE_U);
    KERNEL("CR3 write", kernel_cr3, PAGE_TABLES, 0, 0);
    KERNEL("CR4.PGE off and on", kernel_pge, cr4 & ~(uint32_t)CR4_PGE, cr4, 0);
    KERNEL("INVLPG", kernel_invlpg, 0, PAGE, 0);
    KERNEL("PTE write", kernel_pte, entry, 0, PTE_P);
    paging_set(PAGE, PAGE | PTE_P | PTE_W | PTE_U);
    KERNEL("PTE write, INVLPG", kernel_pte_invlpg, entry, PAGE, PTE_P);
    /* The page alternates between two frames, supervisor: the kernel reads it. */
    entry = (uint32_t)paging_pte(KERNEL_PAGE);
    paging_set(KERNEL_PAGE, KERNEL_PAGE | PTE_P | PTE_W);
    KERNEL("PTE write, INVLPG, load", kernel_pte_use, entry, KERNEL_PAGE, KERNEL_PAGE ^ OTHER);
    struct regs in = kernel(kernel_switch, SPACE2, PAGE_TABLES, 0);
    in.edx = STACK2;
    event("context switch (CR3, stack)", &in);
    write_cr3(PAGE_TABLES);
}

static void interrupt_event(void) {
    handle(VECTOR_IRQ + COM1_IRQ, 0, handle_transmitter);
    pic_mask(0xFFFF & ~(1 << COM1_IRQ));
    struct regs in = kernel(kernel_interrupt, 0, 0, 0);
    struct cost with = measure(run_snippet, &in);
    pic_mask(0xFFFF);
    in = kernel(kernel_interrupt_ports, 0, 0, 0);
    show("interrupt", cost_less(with, measure(run_snippet, &in)));
}

static void kernel_events(void) {
    KERNEL("call/ret", kernel_call, 0, 0, 0);
    KERNEL("indirect jump", kernel_jump, (uint32_t)kernel_jump_target, 0, 0);
    KERNEL("IN from port 80h", kernel_in, 0, 0, 0);
    KERNEL("MMIO read, no device", kernel_load, MMIO, 0, 0);
    KERNEL("CR0.TS set, CLTS", kernel_ts, read_cr0() | CR0_TS, 0, 0);
    KERNEL("INT and IRET in ring 0", kernel_int, 0, 0, 0);
    KERNEL("IRET", kernel_iret, 0, 0, 0);
    KERNEL("STI/CLI", kernel_sti, 0, 0, 0);
    KERNEL("PUSHF/POPF", kernel_pushf, 0, 0, 0);
    KERNEL("RDTSC", kernel_rdtsc, 0, 0, 0);
    KERNEL("CPUID", kernel_cpuid, 0, 0, 0);
    KERNEL("segment load", kernel_segment, SEL_DATA0, 0, 0);
}

static void show_clock(void) {
    uint64_t now = rdtsc();
    printf("clock\t%08x%08x\n", (uint32_t)(now >> 32), (uint32_t)now);
}

void guest_main(void) {
    memory_init();
    show_clock();
    struct regs in = user(plain_nothing, 0);
    loop3 = measure(run_snippet, &in);
    in = kernel(kernel_nothing, 0, 0, 0);
    loop0 = measure(run_snippet, &in);
    user_events();
    kernel_events();
    paging_events();
    interrupt_event();
    show_clock();
    printf("end\n");
}
