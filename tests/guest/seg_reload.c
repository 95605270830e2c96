/* The same selector loaded again and again while its descriptor, or the table, changes behind it:
 * each load must see what memory holds then (SDM vol 3A, 3.4.3). Each value is loaded three times.
 */
#include "guest.h"

CODE(mov_ds, "movw %ds, %dx; movw %ax, %ds; movl (%ecx), %ebx; movw %dx, %ds");
CODE(mov_es, "movw %es, %dx; movw %ax, %es; movl %es:(%ecx), %ebx; movw %dx, %es");
CODE(mov_fs, "movw %ax, %fs; movl %fs:(%ecx), %ebx");
CODE(mov_gs, "movw %ax, %gs; movl %gs:(%ecx), %ebx");
CODE(pop_ds, "pushl %ds; pushl %eax; popl %ds; movl (%ecx), %ebx; popl %ds");
CODE(pop_es, "pushl %es; pushl %eax; popl %es; movl %es:(%ecx), %ebx; popl %es");
CODE(pop_fs, "pushl %eax; popl %fs; movl %fs:(%ecx), %ebx");
CODE(pop_gs, "pushl %eax; popl %gs; movl %gs:(%ecx), %ebx");

enum { DATA = ACCESS_P | ACCESS_DATA_RW | ACCESS_ACCESSED };
enum { TIMES = 3, OFFSET = 0x10, WORDS = 256 };

static uint64_t other_table[GDT_SLOTS];

static void attempt(const char *name, const char *what, const uint8_t *code, uint16_t selector,
                    uint32_t offset) {
    for (unsigned i = 0; i < TIMES; i++) {
        struct regs in = regs_ring0(code);
        in.eax = selector;
        in.ecx = offset;
        run(&in);
        printf("%s %s %u: vector %02x error %04x read %08x\n", name, what, i, trap.vector,
               trap.error, trap.regs.ebx);
    }
}

static void sequence(const char *name, const uint8_t *code) {
    const uint64_t flat = descriptor(0, 0xFFFFF, DATA, FLAG_SEG_32_4K);
    static const uint32_t bases[] = {ARENA, ARENA + 0x100, ARENA};

    gdt_set(SEL_FREE, flat);
    attempt(name, "flat", code, SEL_FREE, ARENA + OFFSET);
    for (unsigned i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        gdt_set(SEL_FREE, descriptor(bases[i], 0xFFFFF, DATA, FLAG_SEG_32_4K));
        attempt(name, "base", code, SEL_FREE, OFFSET);
    }
    gdt_set(SEL_FREE, descriptor(ARENA, OFFSET + 2, DATA, FLAG_SEG_B));
    attempt(name, "small", code, SEL_FREE, OFFSET);
    gdt_set(SEL_FREE, flat);
    attempt(name, "flat", code, SEL_FREE, ARENA + OFFSET);
    gdt_set(SEL_FREE, flat & ~(1ull << 47));
    attempt(name, "absent", code, SEL_FREE, ARENA + OFFSET);
    gdt_set(SEL_FREE, flat & ~(1ull << 40));
    attempt(name, "not accessed", code, SEL_FREE, ARENA + OFFSET);
    printf("%s access %02x\n", name, gdt_access(SEL_FREE));
    attempt(name, "null", code, 0, ARENA + OFFSET);
    attempt(name, "RPL 3", code, SEL_FREE | 3, ARENA + OFFSET);
    attempt(name, "flat", code, SEL_FREE, ARENA + OFFSET);

    for (unsigned i = 0; i < GDT_SLOTS; i++)
        other_table[i] = gdt[i];
    other_table[SEL_FREE / 8] = descriptor(ARENA + 0x200, 0xFFFFF, DATA, FLAG_SEG_32_4K);
    lgdt(other_table, sizeof other_table - 1);
    attempt(name, "other table", code, SEL_FREE, OFFSET);
    lgdt(other_table, SEL_FREE - 1);
    attempt(name, "short table", code, SEL_FREE, OFFSET);
    lgdt(gdt, sizeof gdt - 1);
    attempt(name, "first table", code, SEL_FREE, ARENA + OFFSET);
}

void guest_main(void) {
    for (unsigned i = 0; i < WORDS; i++)
        ((volatile uint32_t *)ARENA)[i] = 0x11110000 + i * 4;
    sequence("mov ds", mov_ds);
    sequence("mov es", mov_es);
    sequence("mov fs", mov_fs);
    sequence("mov gs", mov_gs);
    sequence("pop ds", pop_ds);
    sequence("pop es", pop_es);
    sequence("pop fs", pop_fs);
    sequence("pop gs", pop_gs);
}
