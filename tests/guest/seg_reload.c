/* The same selector loaded twice while its descriptor, or the table, changes in between: the second
 * load must see what memory holds then (SDM vol 3A, 3.4.3). A third goes by way of null. */
#include "guest.h"

/* Load, replace the descriptor at EDI by the one at ESI, load, read. */
#define REPLACE                                                                                    \
    "movl %ss:(%esi), %ebp; movl %ebp, %ss:(%edi); movl %ss:4(%esi), %ebp; movl %ebp, "            \
    "%ss:4(%edi); "
#define MOV_TWICE(s, between)                                                                      \
    "movw %" s ", %dx; movw %ax, %" s "; " between "movw %ax, %" s "; movl %" s                    \
    ":(%ecx), %ebx; movw %dx, %" s
#define POP_TWICE(s, between)                                                                      \
    "pushl %" s "; pushl %eax; popl %" s "; " between "pushl %eax; popl %" s "; movl %" s          \
    ":(%ecx), %ebx; popl %" s
#define BY_NULL(s) "pushl $0; popl %" s "; "
#define LGDT       "lgdtl %ss:(%esi); "

#define FORMS(s)                                                                                   \
    CODE(mov_##s, MOV_TWICE(#s, REPLACE));                                                         \
    CODE(pop_##s, POP_TWICE(#s, REPLACE));                                                         \
    CODE(null_##s, POP_TWICE(#s, BY_NULL(#s) REPLACE));                                            \
    CODE(lgdt_##s, MOV_TWICE(#s, LGDT))

FORMS(ds);
FORMS(es);
FORMS(fs);
FORMS(gs);

enum { OFFSET = 0x10, WORDS = 256, DATA = ACCESS_P | ACCESS_DATA_RW | ACCESS_ACCESSED };

static uint64_t other_table[GDT_SLOTS];

/* One snippet does all, so that the second load can find what the first has left behind. */
static void attempt(const char *name, const uint8_t *code, unsigned from, unsigned to,
                    const void *esi) {
    struct regs in = regs_ring0(code);

    in.eax = SEL_FREE;
    in.ecx = OFFSET;
    in.esi = (uint32_t)esi;
    in.edi = (uint32_t)&gdt[SEL_FREE / 8];
    run(&in);
    printf("%s %u %u: vector %02x error %04x read %08x access %02x\n", name, from, to, trap.vector,
           trap.error, trap.regs.ebx, gdt_access(SEL_FREE));
}

static void pairs(const char *name, const uint8_t *code) {
    const uint64_t kinds[] = {
        descriptor(0, 0xFFFFF, DATA, FLAG_SEG_32_4K),
        descriptor(ARENA, 0xFFFFF, DATA, FLAG_SEG_32_4K),
        descriptor(ARENA + 0x100, 0xFFFFF, DATA, FLAG_SEG_32_4K),
        descriptor(ARENA, OFFSET + 2, DATA, FLAG_SEG_B),
        descriptor(ARENA, 0xFFFFF, DATA & ~ACCESS_P, FLAG_SEG_32_4K),
        descriptor(ARENA, 0xFFFFF, DATA & ~ACCESS_ACCESSED, FLAG_SEG_32_4K),
    };
    enum { KINDS = sizeof kinds / sizeof kinds[0] };

    for (unsigned from = 0; from < KINDS; from++)
        for (unsigned to = 0; to < KINDS; to++) {
            gdt_set(SEL_FREE, kinds[from]);
            attempt(name, code, from, to, &kinds[to]);
        }
}

static void tables(const char *name, const uint8_t *code) {
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) other = {sizeof other_table - 1, (uint32_t)other_table};

    gdt_set(SEL_FREE, descriptor(ARENA, 0xFFFFF, DATA, FLAG_SEG_32_4K));
    for (unsigned i = 0; i < GDT_SLOTS; i++)
        other_table[i] = gdt[i];
    attempt(name, code, 0, 0, &other);
    lgdt(gdt, sizeof gdt - 1);
    other_table[SEL_FREE / 8] = descriptor(ARENA + 0x200, 0xFFFFF, DATA, FLAG_SEG_32_4K);
    attempt(name, code, 0, 1, &other);
    lgdt(gdt, sizeof gdt - 1);
    other.limit = SEL_FREE - 1;
    attempt(name, code, 0, 2, &other);
    lgdt(gdt, sizeof gdt - 1);
}

#define ALL(s)                                                                                     \
    pairs("mov " #s, mov_##s);                                                                     \
    pairs("pop " #s, pop_##s);                                                                     \
    pairs("null " #s, null_##s);                                                                   \
    tables("lgdt " #s, lgdt_##s)

void guest_main(void) {
    for (unsigned i = 0; i < WORDS; i++)
        ((volatile uint32_t *)ARENA)[i] = 0x11110000 + i * 4;
    ((volatile uint32_t *)0)[OFFSET / 4] = 0x22220000;
    ALL(ds);
    ALL(es);
    ALL(fs);
    ALL(gs);
}
