/* An interrupt comes in the middle of code that only calls forward and returns, without a branch
 * back, and would do so for years: each function calls the next one twice, or many times (SDM vol
 * 3A, 6.6). */
#include "guest.h"

enum { COUNT = 59659 }; /* 50 ms */

struct tree {
    const char *name;
    uint32_t functions, calls;
};
static const struct tree trees[] = {{"deep", 60, 2}, {"wide", 6, 500}};

CODE(end, "nop");

static uint8_t code[16 << 10] __attribute__((aligned(4096)));
static uint8_t *function[64];

static uint8_t *put32(uint8_t *at, uint32_t value) {
    for (unsigned k = 0; k < 4; k++)
        *at++ = (uint8_t)(value >> 8 * k);
    return at;
}

/* Function n returns at once where EAX is n. */
static void make_functions(const struct tree *t) {
    uint32_t bytes = 3 + 6 + 5 * t->calls + 1;

    for (uint32_t n = 0; n < t->functions; n++) {
        uint8_t *at = function[n] = &code[n * bytes], *next = at + bytes;

        *at++ = 0x83, *at++ = 0xF8, *at++ = (uint8_t)n; /* cmp $n, %eax */
        if (n < t->functions - 1) {
            *at++ = 0x0F, *at++ = 0x84; /* je */
            at = put32(at, 5 * t->calls);
            for (uint32_t k = 0; k < t->calls; k++) {
                *at++ = 0xE8; /* call */
                at = put32(at, (uint32_t)next - (uint32_t)at - 4);
            }
        }
        *at = 0xC3;
    }
}

static struct regs at_function(int ring, uint32_t n) {
    struct regs in = ring ? regs_ring3(function[n]) : regs_ring0(function[n]);

    in.esp -= 4;
    *(uint32_t *)in.esp = (uint32_t)end;
    return in;
}

/* Each call is made and returned from, often enough for a monitor to know the way. */
static void make_known(const struct tree *t, int ring) {
    for (uint32_t k = 0; k < 6 * t->functions; k++) {
        uint32_t n = k % (t->functions - 1);
        struct regs in = at_function(ring, n);

        in.eax = n + 1;
        run(&in);
        if (trap.vector != VECTOR_END)
            report("unexpected", &in);
    }
}

static void attempt(const struct tree *t, int ring) {
    struct regs in = at_function(ring, 0);

    in.eax = t->functions;
    in.eflags |= 0x200;
    pic_timer_once(COUNT);
    run(&in);
    pic_mask(0xFFFF);
    printf("%s, ring %d: vector %x, in the functions: %s\n", t->name, ring, trap.vector,
           trap.regs.eip - (uint32_t)code < sizeof code ? "yes" : "no");
}

void guest_main(void) {
    for (uint32_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        make_functions(&trees[i]);
        for (int ring = 0; ring <= 3; ring += 3) {
            make_known(&trees[i], ring);
            attempt(&trees[i], ring);
            attempt(&trees[i], ring);
        }
    }
}
