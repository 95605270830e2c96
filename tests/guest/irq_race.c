/* Interrupts that come at any time in loops which let them in by STI: never right behind it,
 * whatever stands there and on whichever page (SDM vol. 2B, STI; vol. 3A, 6.8.1). */
#include "guest.h"

enum { TIMES = 400, MANY = 43, FIRST_COUNT = 100, COUNTS = 400 };

/* Where STI stands: last on a page, last of as many instructions as ringone takes at once, or
 * neither. */
enum place { PAGE_END, MANY_INSNS, WITHIN, PLACES };
static const char *const place_names[PLACES] = {"page end", "many", "within"};

#define NEXT(text, again, ...)                                                                     \
    {                                                                                              \
        text, sizeof((const uint8_t[]){__VA_ARGS__}), again, {                                     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
static const struct {
    const char *name;
    uint32_t bytes;
    bool jumps_back; /* a JMP to the loop's start stands behind it */
    uint8_t code[8];
} nexts[] = {
    NEXT("jmp, jmp", true, 0xeb, 0x00),
    {"jmp", 0, true, {0}},
    NEXT("cmp, je", true, 0x39, 0xc0, 0x74, 0xfa),
    NEXT("push, pop", true, 0x55, 0x5d),
    NEXT("cmp, jmp", true, 0x39, 0xc0),
    NEXT("mov", true, 0x8b, 0x06),
    NEXT("in", true, 0xec),
    NEXT("ret", false, 0xc3),
    NEXT("jmp *ebx", false, 0xff, 0xe3),
    NEXT("rep lodsb", false, 0xf3, 0xac, 0x89, 0xde, 0x53, 0xc3),
};

static uint8_t *put(uint8_t *p, const uint8_t *bytes, uint32_t n) {
    while (n--)
        *p++ = *bytes++;
    return p;
}

/* Writes a loop; returns its start. */
static uint8_t *make(enum place place, uint32_t n, uint8_t **behind_sti) {
    /* mov esp, ebp; push ebx; mov ecx, 16 */
    static const uint8_t begin[] = {0x89, 0xec, 0x53, 0xb9, 16, 0, 0, 0};
    uint8_t *sti = (uint8_t *)ARENA + (place == PAGE_END ? 0x2fff : 0x2800);
    uint8_t *start = sti - 1 - sizeof begin - (place == MANY_INSNS ? MANY : 0);
    uint8_t *p = put(start, begin, sizeof begin);

    while (p < sti - 1)
        *p++ = 0x90;
    *p++ = 0xfa;
    *p++ = 0xfb;
    *behind_sti = p;
    p = put(p, nexts[n].code, nexts[n].bytes);
    if (nexts[n].jumps_back) {
        uint32_t by = (uint32_t)(start - (p + 5));
        *p++ = 0xe9;
        put(p, (const uint8_t *)&by, sizeof by);
    }
    return start;
}

static void attempt(enum place place, uint32_t n) {
    uint8_t *behind, *start = make(place, n, &behind);
    uint32_t wrong = 0, others = 0;

    for (uint32_t k = 0; k < TIMES; k++) {
        struct regs in = regs_ring0(start);

        in.esi = ARENA;
        in.ebp = in.esp;
        in.edx = 0x61;
        in.ebx = (uint32_t)start;
        pic_timer_once((uint16_t)(FIRST_COUNT + k * 7919 % COUNTS));
        run(&in);
        pic_mask(0xFFFF);
        others += trap.vector != VECTOR_IRQ;
        /* REP may have begun */
        wrong += trap.regs.eip == (uint32_t)behind && trap.regs.ecx == 16;
    }
    printf("%s, %s: %u right behind STI, %u other than interrupts\n", place_names[place],
           nexts[n].name, wrong, others);
}

void guest_main(void) {
    for (int paging = 0; paging < 2; paging++) {
        if (paging)
            paging_init();
        for (enum place place = 0; place < PLACES; place++)
            for (uint32_t n = 0; n < sizeof nexts / sizeof nexts[0]; n++)
                attempt(place, n);
    }
}
