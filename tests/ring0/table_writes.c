/* A kernel that writes page-table entries again and again, each kind through one instruction. How
 * often comes on the command line, and which kind: w a write, i a write and INVLPG, r a write,
 * INVLPG and a read through the entry, c a write and a CR3 load, d a write of a directory entry and
 * a CR3 load, u a write, INVLPG and user code that reads through it. The runner counts the traps.
 */
#include "guest.h"

CODE(read_user, "movl (%esi), %eax");

enum { PAGE = ARENA, OTHER = ARENA + 0x400000, FRAMES = 8, CR4_FXSR_XMM = 0x600 };

static uint32_t number(const char *text) {
    uint32_t n = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (uint32_t)(*text - '0');
    return n;
}

static void write_entry(uint32_t *entry, uint32_t value) {
    __asm__ volatile("movl %1, %0" : "=m"(*entry) : "r"(value));
}

static uint32_t user_reads(void) {
    struct regs in = regs_ring3(read_user);

    in.eflags |= FLAG_IF;
    in.esi = PAGE;
    run(&in);
    return trap.regs.eax;
}

void guest_main(void) {
    enum { INFO_CMDLINE = 16 };
    const char *text = *(const char **)(boot_info + INFO_CMDLINE);
    uint32_t wrong = 0;

    while (*text && *text != ' ') /* the kernel's name */
        text++;
    char kind = text[1];
    uint32_t count = number(text + 3);
    for (uint32_t i = 0; i < FRAMES; i++)
        *(volatile uint32_t *)(PAGE + i * 4096) = i;
    paging_init();
    write_cr4(read_cr4() | CR4_FXSR_XMM);
    uint32_t *entry = kind == 'd' ? paging_pde(OTHER) : paging_pte(PAGE);
    uint32_t tables[2] = {(uint32_t)paging_pte(OTHER) | PTE_ALL,
                          (uint32_t)paging_pte(PAGE) | PTE_ALL};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t frame = PAGE + i % FRAMES * 4096;
        write_entry(entry, kind == 'd' ? tables[i & 1] : frame | PTE_ALL);
        if (kind == 'i' || kind == 'r' || kind == 'u')
            __asm__ volatile("invlpg (%0)" : : "r"(PAGE) : "memory");
        if (kind == 'c' || kind == 'd')
            paging_flush();
        if (kind == 'r')
            wrong += *(volatile uint32_t *)PAGE != i % FRAMES;
        if (kind == 'u')
            wrong += user_reads() != i % FRAMES;
    }
    printf("%c: %u writes, %u wrong\n", kind, count, wrong);
}
