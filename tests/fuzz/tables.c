/* Random descriptors of every type in the GDT, LDT and IDT, random task-state segments, and the
 * instructions that load them (SDM vol 3A, chapters 3, 5, 6 and 8). The kernel's own entries and
 * those of the exceptions are put back after each round (kernel.c). */
#include "fuzz.h"

enum { TSS_AT = FUZZ_FREE, TSS_COUNT = 8, TSS_BYTES = 0x100, FIRST_GATE = 0x30 };

static uint16_t rnd_selector(void) {
    static const uint16_t known[] = {0,         SEL_CODE0, SEL_DATA0, SEL_CODE3, SEL_DATA3,
                                     SEL_CODE1, SEL_DATA1, SEL_TSS,   SEL_LDT,   SEL_DF};
    switch (below(8)) {
    case 0:
        return (uint16_t)rnd();
    case 1:
    case 2:
        return known[below(sizeof known / sizeof known[0])];
    case 3: /* in the LDT */
        return (uint16_t)(below(16) << 3 | 4 | below(4));
    default:
        return (uint16_t)(SEL_FUZZ + below(GDT_SLOTS - SEL_FUZZ / 8) * 8 + below(4));
    }
}

static uint32_t rnd_target(void) {
    return FUZZ_CODE + below(FUZZ_CODE_BYTES);
}

static uint64_t rnd_gate(void) {
    uint8_t type = (uint8_t)((rnd() & 0x8F) | below(4) << 5 | (one_in(8) ? 0 : 0x80));
    if (!one_in(8)) /* 16- and 32-bit call, interrupt, trap and task gates */
        type = (uint8_t)((type & 0xE0) | (one_in(4) ? 5 : 4 | below(4) | (rnd() & 8)));
    return gate(one_in(3) ? SEL_CODE0 : rnd_selector(), rnd_target(), type, (uint8_t)(rnd() & 31));
}

static uint64_t rnd_segment(void) {
    uint8_t access = (uint8_t)(rnd() | (one_in(8) ? 0 : 0x80));
    uint8_t flags = (uint8_t)(rnd() & 15);
    uint32_t base = one_in(2) ? 0 : rnd_address(), limit = one_in(2) ? 0xFFFFF : rnd_value();
    if (one_in(2)) { /* a TSS or the LDT */
        access = (uint8_t)((access & 0xE0) | (one_in(4) ? 2 : 1 | (rnd() & 8)));
        base = TSS_AT + below(TSS_COUNT) * TSS_BYTES;
        limit = one_in(4) ? rnd_value() : 0x67;
        flags = 0;
    }
    return descriptor(base, limit & 0xFFFFF, access, flags);
}

static uint64_t rnd_descriptor(void) {
    return one_in(3) ? rnd_gate() : one_in(16) ? (uint64_t)rnd() << 32 | rnd() : rnd_segment();
}

/* A TSS that a switch may well succeed with. */
static void put_tss(uint32_t at) {
    struct tss *t = (struct tss *)at;
    uint32_t *words = (uint32_t *)at;
    for (uint32_t i = 0; i < 26; i++)
        words[i] = rnd_value();
    t->cr3 = one_in(4) ? t->cr3 : fuzz.cr3;
    t->eip = one_in(8) ? t->eip : rnd_target();
    t->eflags = one_in(4) ? t->eflags : FLAG_IF | 2;
    t->esp = one_in(4) ? t->esp : STACK_RING1;
    t->cs = one_in(2) ? SEL_CODE0 : one_in(2) ? SEL_CODE3 : rnd_selector();
    t->ss = one_in(2) ? SEL_DATA0 : one_in(2) ? SEL_DATA3 : rnd_selector();
    uint32_t *data[] = {&t->es, &t->ds, &t->fs, &t->gs};
    for (uint32_t i = 0; i < 4; i++)
        *data[i] = one_in(2) ? SEL_DATA3 : one_in(2) ? 0 : rnd_selector();
    t->ldt = one_in(2) ? 0 : SEL_LDT;
    t->link = rnd_selector();
}

static uint32_t put32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
    return 4;
}

/* PUSH imm32 */
static uint32_t put_push(uint8_t *to, uint32_t value) {
    to[0] = 0x68;
    return 1 + put32(to + 1, value);
}

/* One load or use of a selector. */
static uint32_t put_use(uint8_t *to) {
    uint32_t n = 0;
    if (one_in(6))
        to[n++] = 0x66;
    switch (below(10)) {
    case 0: /* MOV Sreg, AX */
    case 1:
        to[n++] = 0xB8;
        n += put32(to + n, rnd_selector());
        to[n++] = 0x8E;
        to[n++] = (uint8_t)(0xC0 | below(6) << 3);
        break;
    case 2: /* POP Sreg */
        n += put_push(to + n, rnd_selector());
        to[n++] = (uint8_t)(0x07 | below(4) << 3);
        break;
    case 3: /* far JMP, far CALL */
        to[n++] = one_in(2) ? 0xEA : 0x9A;
        n += put32(to + n, rnd_target());
        to[n++] = (uint8_t)rnd_selector();
        to[n++] = 0;
        break;
    case 4: /* INT n */
        to[n++] = 0xCD;
        to[n++] = (uint8_t)(one_in(8) ? rnd() : FIRST_GATE + below(0xC0));
        break;
    case 5: /* IRET, to the same or another ring, or virtual-8086 mode, or a nested task */
        for (int i = 0; i < 4 && one_in(4); i++)
            n += put_push(to + n, rnd_selector());
        n += put_push(to + n, rnd_selector());
        n += put_push(to + n, rnd_address());
        n += put_push(to + n, rnd() & (FLAGS_STATUS | FLAG_IF | (one_in(8) ? FLAG_VM : 0) |
                                       (one_in(8) ? FLAG_NT : 0)));
        n += put_push(to + n, rnd_selector());
        n += put_push(to + n, rnd_target());
        to[n++] = 0xCF;
        break;
    case 6: /* RETF */
        n += put_push(to + n, rnd_selector());
        n += put_push(to + n, rnd_target());
        to[n++] = 0xCB;
        break;
    case 7: /* LTR, LLDT, VERR, VERW, STR, SLDT */
        to[n++] = 0xB8;
        n += put32(to + n, rnd_selector());
        to[n++] = 0x0F;
        to[n++] = 0x00;
        to[n++] = (uint8_t)(0xC0 | below(6) << 3);
        break;
    case 8: /* LAR, LSL */
        to[n++] = 0xB8;
        n += put32(to + n, rnd_selector());
        to[n++] = 0x0F;
        to[n++] = (uint8_t)(2 + below(2));
        to[n++] = (uint8_t)(0xC0 | below(8) << 3);
        break;
    default: /* use what was loaded */
        to[n++] = (uint8_t)(0x26 | below(4) << 3);
        to[n++] = one_in(2) ? 0x8B : 0x89;
        to[n++] = (uint8_t)(below(8) << 3 | 6); /* [ESI] */
        to[n++] = one_in(2) ? 0xA5 : 0xAC;
    }
    return n;
}

void round_tables(void) {
    for (uint32_t n = 1 + below(8); n; n--)
        gdt[SEL_FUZZ / 8 + below(GDT_SLOTS - SEL_FUZZ / 8)] = rnd_descriptor();
    for (uint32_t n = below(3); n; n--)
        ldt[below(16)] = rnd_descriptor();
    for (uint32_t n = 8; n; n--)
        idt[FIRST_GATE + below(0xC0)] = rnd_gate();
    if (one_in(16)) /* an exception too */
        idt[below(20)] = rnd_gate();
    put_tss(TSS_AT + below(TSS_COUNT) * TSS_BYTES);
    if (one_in(4))
        tss.io_base = (uint16_t)rnd_value();

    uint32_t target = rnd_target() & ~0x7Fu, at = 0;
    for (uint32_t n = 1 + below(5); n; n--)
        at += put_use((uint8_t *)target + at);
    code_fill((uint8_t *)target + at, 16);
    struct regs in = attempt_regs(target);
    in.esi = one_in(2) ? below(0x1000) : in.esi;
    attempt_from(&in);
}
