/*
 * vmm/bcd.c against the CPU this runs on: AAA, AAS, DAA, DAS, AAM, AAD for every AX, CF and AF, in
 * compatibility mode. The flags the manual leaves undefined are compared with what current CPUs do
 * only through the tables at the end, since makers could differ.
 */
#include <sys/mman.h>

#include "tests/unit/callout_bench.h"

#define USER32_CS 0x23 /* Linux's 32-bit code segment */

struct insn {
    const char *name;
    uint8_t bytes[2];
    unsigned length;
    callout_fn callout;
    uint64_t arg;
    uint32_t defined; /* flags (SDM vol. 2A) */
};

static const struct insn insns[] = {
    {"aaa", {0x37}, 1, callout_aaa, 0, EFL_CF | EFL_AF},
    {"aas", {0x3f}, 1, callout_aas, 0, EFL_CF | EFL_AF},
    {"daa", {0x27}, 1, callout_daa, 0, EFL_ARITH & ~EFL_OF},
    {"das", {0x2f}, 1, callout_das, 0, EFL_ARITH & ~EFL_OF},
    {"aam", {0xd4, 10}, 2, callout_aam, A_IMM(10), EFL_SF | EFL_ZF | EFL_PF},
    {"aam 7", {0xd4, 7}, 2, callout_aam, A_IMM(7), EFL_SF | EFL_ZF | EFL_PF},
    {"aad", {0xd5, 10}, 2, callout_aad, A_IMM(10), EFL_SF | EFL_ZF | EFL_PF},
    {"aad 39", {0xd5, 39}, 2, callout_aad, A_IMM(39), EFL_SF | EFL_ZF | EFL_PF},
};
enum { INSNS = sizeof insns / sizeof insns[0] };

/* -- a way into 32-bit code -- */

enum { CODE_AT = 0, GATE_AT = 256, DATA_AT = 4096, TOP_OF_STACK = 2 * 4096, LOW_BYTES = 2 * 4096 };

static uint8_t *low; /* below 4 GiB: code, then a page for the arguments and the stack */

/* What the 32-bit routine reads and writes, at DATA_AT. */
struct exchange {
    uint32_t eax, eflags;
    struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) entry;
};

static struct exchange *exchange(void) {
    return (struct exchange *)(void *)(low + DATA_AT);
}

static void put(uint8_t **p, const void *bytes, size_t n) {
    memcpy(*p, bytes, n);
    *p += n;
}

static void put_address(uint8_t **p, const void *field) {
    uint32_t address = (uint32_t)(uintptr_t)field;

    put(p, &address, sizeof address);
}

/* mov eax, [eax]; push [eflags]; popf; insn; mov [eax], eax; pushf; pop [eflags]; retf: all through
 * SS, since a 64-bit program's DS is null. */
static void write_routine(const struct insn *insn) {
    uint8_t *p = low + CODE_AT;

    put(&p, "\x36\xa1", 2);
    put_address(&p, &exchange()->eax);
    put(&p, "\x36\xff\x35", 3);
    put_address(&p, &exchange()->eflags);
    put(&p, "\x9d", 1);
    put(&p, insn->bytes, insn->length);
    put(&p, "\x36\xa3", 2);
    put_address(&p, &exchange()->eax);
    put(&p, "\x9c\x36\x8f\x05", 4);
    put_address(&p, &exchange()->eflags);
    put(&p, "\xcb", 1);
}

/* lcall *[entry]; ret: 64-bit code, low because the far call pushes a 32-bit return address. */
static void write_gate(void) {
    uint8_t *p = low + GATE_AT;

    exchange()->entry.offset = (uint32_t)(uintptr_t)(low + CODE_AT);
    exchange()->entry.selector = USER32_CS;
    put(&p, "\xff\x1c\x25", 3);
    put_address(&p, &exchange()->entry);
    put(&p, "\xc3", 1);
}

static void run_routine(void) {
    uint64_t stack = (uint64_t)(low + TOP_OF_STACK);

    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "movq %0, %%rsp\n\t"
                     "call *%1\n\t"
                     "movq %%rbx, %%rsp"
                     : "+r"(stack)
                     : "r"(low + GATE_AT)
                     : "rax", "rbx", "memory", "cc");
}

static int map_low(void **state) {
    (void)state;
    low = mmap(NULL, LOW_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED)
        return -1;
    write_gate();
    return 0;
}

/* -- comparison -- */

static void set_inputs(uint32_t ax, unsigned flags) {
    cpu.gpr[EAX] = 0xa5a50000 | ax;
    cpu.flags = flags | EFL_DF;
}

static void compare(const struct insn *insn, uint32_t ax, uint32_t flags) {
    exchange()->eax = 0xa5a50000 | ax;
    exchange()->eflags = flags | EFL_ONE | EFL_IF;
    run_routine();
    set_inputs(ax, flags);

    enum callout_result result = insn->callout(&cpu, insn->arg);

    if (result != CALLOUT_NEXT || cpu.gpr[EAX] != exchange()->eax ||
        ((cpu.flags ^ exchange()->eflags) & insn->defined) || !(cpu.flags & EFL_DF))
        fail_msg("%s with ax %04x flags %02x: %08x %03x, CPU %08x %03x", insn->name, ax, flags,
                 cpu.gpr[EAX], cpu.flags, exchange()->eax, exchange()->eflags);
}

/* Some kernels run no 32-bit programs. */
static bool has_32bit_code_segment(void) {
    uint32_t rights = 0;

    __asm__("lar %1, %0" : "+r"(rights) : "r"(USER32_CS) : "cc");
    return rights >> 22 & 1;
}

static void as_the_cpu(void **state) {
    (void)state;
    if (!has_32bit_code_segment())
        skip();
    for (unsigned i = 0; i < INSNS; i++) {
        write_routine(&insns[i]);
        for (uint32_t ax = 0; ax < 0x10000; ax++) {
            for (unsigned f = 0; f < 4; f++)
                compare(&insns[i], ax, (f & 1 ? EFL_CF : 0) | (f & 2 ? EFL_AF : 0));
        }
    }
}

/* -- undefined flags -- */

static void undefined_flags(void **state) {
    static const struct {
        callout_fn callout;
        uint64_t arg;
        uint32_t ax, in, out;
    } cases[] = {
        {callout_aaa, 0, 0x7f7a, 0, EFL_OF | EFL_SF | EFL_AF | EFL_CF},
        {callout_aaa, 0, 0x0000, 0, EFL_ZF | EFL_PF},
        {callout_aas, 0, 0x8000, EFL_AF, EFL_OF | EFL_AF | EFL_CF | EFL_PF},
        {callout_daa, 0, 0x007a, 0, EFL_OF | EFL_SF | EFL_AF},
        {callout_das, 0, 0x0080, EFL_AF, EFL_OF | EFL_AF},
        {callout_aam, A_IMM(10), 0x00ff, EFL_CF | EFL_AF, EFL_PF},
        {callout_aad, A_IMM(10), 0x19ff, 0, EFL_SF | EFL_CF | EFL_AF | EFL_PF},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set_inputs(cases[i].ax, cases[i].in);
        EXPECT_NEXT(cases[i].callout(&cpu, cases[i].arg));
        if ((cpu.flags & EFL_ARITH) != cases[i].out)
            fail_msg("case %u: %03x", i, cpu.flags & EFL_ARITH);
    }
}

static void aam_by_zero(void **state) {
    (void)state;
    EXPECT_FAULT(callout_aam(&cpu, A_IMM(0)), VEC_DE, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CALLOUT_TEST(as_the_cpu),
        CALLOUT_TEST(undefined_flags),
        CALLOUT_TEST(aam_by_zero),
    };
    return cmocka_run_group_tests(tests, map_low, NULL);
}
