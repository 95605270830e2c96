/* The events that need no kernel, measured on the bare processor by an ordinary 32-bit process.
 * Prints the lines that guest.c prints. */
#include "measure.h"

enum { SYS_EXIT = 1, SYS_WRITE = 4 };

static int system_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

static char line[128];
static uint32_t used;

static void put(char c) {
    line[used++] = c;
}

static void put_text(const char *text) {
    while (*text != 0)
        put(*text++);
}

static void put_number(uint32_t value) {
    if (value >= 10)
        put_number(value / 10);
    put((char)('0' + value % 10));
}

struct snippet {
    const void *code;
    uint32_t ebx;
};

static uint32_t run_snippet(void *context, uint32_t rounds) {
    const struct snippet *s = context;
    uint32_t cycles, ebx = s->ebx, ecx = rounds, edi = (uint32_t)s->code;
    __asm__ volatile("pushl %%ebp\n"
                     "movl %%ecx, %%ebp\n"
                     "call *%%edi\n"
                     "popl %%ebp\n"
                     : "=&a"(cycles), "+b"(ebx), "+c"(ecx), "+D"(edi)
                     :
                     : "edx", "esi", "memory", "cc");
    return cycles;
}

static struct cost loop;

extern const uint8_t plain_nothing[], plain_call[], plain_jump[], plain_jump_target[],
    plain_pushf[], plain_rdtsc[], plain_cpuid[], plain_segment[];

static void event(const char *name, const void *code, uint32_t ebx) {
    struct snippet s = {code, ebx};
    struct cost cost = cost_less(measure(run_snippet, &s), loop);
    used = 0;
    put_text("event\t");
    put_text(name);
    put('\t');
    put_number(cost.minimum);
    put('\t');
    put_number(cost.median);
    put('\n');
    system_call(SYS_WRITE, 1, (uint32_t)line, used);
}

void native_start(void);
void native_start(void) {
    struct snippet s = {plain_nothing, 0};
    uint32_t ds;
    __asm__("movl %%ds, %0" : "=r"(ds));
    loop = measure(run_snippet, &s);
    event("call/ret, ring 3", plain_call, 0);
    event("indirect jump, ring 3", plain_jump, (uint32_t)plain_jump_target);
    event("PUSHF/POPF, ring 3", plain_pushf, 0);
    event("RDTSC, ring 3", plain_rdtsc, 0);
    event("CPUID, ring 3", plain_cpuid, 0);
    event("segment load, ring 3", plain_segment, ds);
    system_call(SYS_EXIT, 0, 0, 0);
}

__asm__(".text\n.globl _start\n_start: andl $-16, %esp\ncall native_start\n");
