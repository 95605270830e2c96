/* An address space of 69,632 pages, no two neighbours in neighbouring frames: more than any monitor
 * can hold in separate host mappings at a time. Every page is read and written, twice over, and
 * must be the frame that its entry says. */
#include "guest.h"

void *memset(void *to, int byte, size_t count);

enum {
    FIRST_GLA = 0x10000000,
    PAGES = 68 * 1024,
    FRAMES_AT = 0x01000000,
    FRAMES = 4096,
    TABLES_AT = 0x02000000,
    PRIME = 1009,
};

static uint32_t visits[FRAMES];

/* ESI: first page, ECX: pages. Adds up the words at offset 0 in EAX, counts at offset 4. */
CODE(visit, "1: addl (%esi), %eax; incl 4(%esi); addl $4096, %esi; decl %ecx; jnz 1b");
/* The same from the last to the first. */
CODE(visit_down, "1: addl (%esi), %eax; incl 4(%esi); subl $4096, %esi; decl %ecx; jnz 1b");

static uint32_t *frame(uint32_t n) {
    return (uint32_t *)(FRAMES_AT + n * 4096);
}

static void build(uint32_t rights) {
    for (uint32_t i = 0; i < FRAMES; i++) {
        frame(i)[0] = i * 0x10001;
        frame(i)[1] = 0;
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        uint32_t number = i * PRIME % FRAMES;
        ((uint32_t *)TABLES_AT)[i] = (uint32_t)frame(number) | rights;
    }
    for (uint32_t i = 0; i < PAGES / 1024; i++)
        *paging_pde(FIRST_GLA + (i << 22)) = (TABLES_AT + i * 4096) | PTE_ALL;
    paging_flush();
}

/* Visits `count` pages from the `first`; false when the sum of what they hold is wrong. */
static bool pass(const uint8_t *code, int ring, uint32_t first, uint32_t count) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    uint32_t sum = 0;
    in.eax = 0;
    in.esi = FIRST_GLA + (code == visit ? first : first + count - 1) * 4096;
    in.ecx = count;
    run(&in);
    if (trap.vector != VECTOR_END)
        report("unexpected", &in);
    for (uint32_t i = first; i < first + count; i++) {
        uint32_t number = i * PRIME % FRAMES;
        sum += number * 0x10001;
        visits[number]++;
    }
    return trap.regs.eax == sum;
}

static void attempt(const char *name, int ring) {
    uint32_t wrong_counts = 0;
    memset(visits, 0, sizeof visits);
    bool right = pass(visit, ring, 0, PAGES);
    right &= pass(visit_down, ring, PAGES / 4, PAGES / 16);
    right &= pass(visit, ring, 0, PAGES / 16);
    for (uint32_t i = 0; i < FRAMES; i++)
        wrong_counts += frame(i)[1] != visits[i];
    printf("%s: sums %s, %u wrong counts\n", name, right ? "right" : "wrong", wrong_counts);
}

void guest_main(void) {
    paging_init();
    build(PTE_P | PTE_W);
    attempt("ring 0, supervisor pages", 0);
    build(PTE_P | PTE_W | PTE_U);
    attempt("ring 0, user pages", 0);
    build(PTE_P | PTE_W | PTE_U);
    attempt("ring 3", 3);
}
