/* An interrupt comes in the middle of code that only calls forward and returns, without a branch
 * back, and would do so for years: each function calls the next one twice (SDM vol 3A, 6.6). */
#include "guest.h"

enum { FUNCTIONS = 60, FUNCTION_BYTES = 16 };

CODE(end, "nop");

static uint8_t functions[FUNCTIONS * FUNCTION_BYTES] __attribute__((aligned(4096)));

/* CALL rel32 to the next function. */
static uint8_t *put_call(uint8_t *at, const uint8_t *to) {
    uint32_t distance = (uint32_t)to - (uint32_t)at - 5;

    *at = 0xE8;
    for (unsigned k = 0; k < 4; k++)
        at[1 + k] = (uint8_t)(distance >> 8 * k);
    return at + 5;
}

/* Function n returns at once where EAX is n. */
static void make_functions(void) {
    for (unsigned n = 0; n < FUNCTIONS; n++) {
        uint8_t *at = &functions[n * FUNCTION_BYTES], *next = at + FUNCTION_BYTES;

        *at++ = 0x83, *at++ = 0xF8, *at++ = (uint8_t)n; /* cmp $n, %eax */
        if (n < FUNCTIONS - 1) {
            *at++ = 0x74, *at++ = 10; /* je */
            at = put_call(put_call(at, next), next);
        }
        *at = 0xC3;
    }
}

static struct regs at_function(int ring, unsigned n) {
    const uint8_t *code = &functions[n * FUNCTION_BYTES];
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

    in.esp -= 4;
    *(uint32_t *)in.esp = (uint32_t)end;
    return in;
}

/* Each call is made and returned from, often enough for a monitor to know the way. */
static void make_known(int ring) {
    for (unsigned k = 0; k < FUNCTIONS * 4; k++) {
        unsigned n = k % (FUNCTIONS - 1);
        struct regs in = at_function(ring, n);

        in.eax = n + 1;
        run(&in);
        if (trap.vector != VECTOR_END)
            report("unexpected", &in);
    }
}

static void start_timer(void) {
    pic_init();
    outb(0x43, 0x30); /* channel 0, mode 0: IRQ 0 rises when the count is done, in 50 ms */
    outb(0x40, 59659 & 0xFF);
    outb(0x40, 59659 >> 8);
    pic_mask(0xFFFE);
}

static void attempt(int ring) {
    struct regs in = at_function(ring, 0);

    in.eax = FUNCTIONS;
    in.eflags |= 0x200;
    start_timer();
    run(&in);
    pic_mask(0xFFFF);
    printf("ring %d: vector %x, in the functions: %s\n", ring, trap.vector,
           trap.regs.eip - (uint32_t)functions < sizeof functions ? "yes" : "no");
}

void guest_main(void) {
    make_functions();
    for (int ring = 0; ring <= 3; ring += 3) {
        make_known(ring);
        attempt(ring);
        attempt(ring);
    }
}
