/* Random machine code: bytes that mean nothing, and instructions chosen so that those with much
 * work behind them come often. Operands are random; where a chosen opcode's operands end is not
 * looked at, so instructions also run into each other. */
#include "fuzz.h"

/* Opcodes of one byte that are more than arithmetic. */
static const uint8_t single[] = {
    0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x27, 0x2F, 0x37, 0x3F, 0x60, 0x61, 0x62, 0x63, 0x69,
    0x6A, 0x6C, 0x6D, 0x6E, 0x6F, 0x86, 0x87, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x98, 0x99, 0x9A, 0x9B,
    0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD,
    0xAE, 0xAF, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF,
    0xD2, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xE0, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xEB, 0xEC, 0xED, 0xEE, 0xEF, 0xF1, 0xF4, 0xF5,
    0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
};
/* The same after 0F. */
static const uint8_t twofold[] = {
    0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x0D, 0x10, 0x11, 0x18, 0x1F,
    0x20, 0x21, 0x22, 0x23, 0x28, 0x2B, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x38, 0x3A, 0x44,
    0x6E, 0x6F, 0x77, 0x7E, 0x7F, 0x84, 0x94, 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA8, 0xA9,
    0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF, 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB8, 0xBA,
    0xBB, 0xBC, 0xC0, 0xC1, 0xC3, 0xC4, 0xC7, 0xC9, 0xE7, 0xF0, 0xF7, 0xFF,
};
static const uint8_t prefixes[] = {0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E,
                                   0x36, 0x3E, 0x26, 0x64, 0x65};

static uint32_t put_rest(uint8_t *to) {
    uint32_t n = 0;
    to[n++] = (uint8_t)(one_in(3) ? rnd() | 0xC0 : rnd() & 0xBF);
    for (uint32_t left = below(6); left; left--)
        to[n++] = (uint8_t)rnd();
    return n;
}

static uint32_t put_imm32(uint8_t *to, uint32_t value) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
    return 4;
}

uint32_t code_put(uint8_t *to) {
    uint32_t n = 0;
    if (one_in(4))
        for (uint32_t left = one_in(16) ? 5 : 1 + below(2); left; left--)
            to[n++] = prefixes[below(sizeof prefixes)];
    switch (below(10)) {
    case 0:
        to[n++] = (uint8_t)rnd();
        break;
    case 1:
    case 2:
        to[n++] = single[below(sizeof single)];
        n += put_rest(to + n);
        break;
    case 3:
    case 4:
        to[n++] = 0x0F;
        to[n++] = twofold[below(sizeof twofold)];
        n += put_rest(to + n);
        break;
    case 5: /* MOV r32, imm32 */
        to[n++] = (uint8_t)(0xB8 + below(8));
        n += put_imm32(to + n, rnd_value());
        break;
    case 6: /* arithmetic of all kinds, memory and registers */
        to[n++] = (uint8_t)(rnd() & 0x3B);
        to[n++] = (uint8_t)(one_in(2) ? rnd() | 0xC0 : rnd() & 7);
        break;
    case 7: /* MOV and others at an absolute address */
        to[n++] = (uint8_t)(one_in(2) ? 0x88 + below(4) : rnd() & 0x3B);
        to[n++] = (uint8_t)(5 | (rnd() & 0x38));
        n += put_imm32(to + n, rnd_address());
        break;
    case 8: /* short jumps and loops */
        to[n++] = (uint8_t)(one_in(3) ? 0xE0 + below(4) : one_in(4) ? 0xEB : 0x70 + below(16));
        to[n++] = (uint8_t)(one_in(4) ? rnd() : below(24));
        break;
    default: /* string instructions with a count that ends */
        to[n++] = 0xB9;
        n += put_imm32(to + n, one_in(8) ? rnd_value() : below(5000));
        to[n++] = (uint8_t)(0xF2 + below(2));
        to[n++] = (uint8_t)(one_in(8) ? 0x6C + below(4) : (one_in(2) ? 0xA4 : 0xAA) + below(4));
    }
    return n;
}

void code_fill(uint8_t *to, uint32_t bytes) {
    enum { LONGEST = 16 };
    uint32_t n = 0;
    while (n + LONGEST < bytes)
        n += code_put(to + n);
    while (n < bytes)
        to[n++] = (uint8_t)rnd();
}

void round_code(void) {
    uint8_t *code = (uint8_t *)(fuzz.v86 ? FUZZ_CODE16 : FUZZ_CODE);
    uint32_t at = below(FUZZ_CODE_BYTES - 64);
    if (one_in(4))
        code_fill(code + at, 64);
    attempt((uint32_t)code + at);
}

/* Chooses a control register and what to load into it; returns its number. */
static uint32_t put_control(struct regs *in) {
    static const uint32_t cr4s[] = {CR4_VME, CR4_PVI, CR4_TSD, CR4_DE,     CR4_PSE,
                                    CR4_PAE, CR4_PGE, CR4_PCE, CR4_OSFXSR, CR4_OSXMMEXCPT};
    if (one_in(32)) {
        in->eax = rnd_value();
        return below(8);
    }
    switch (below(4)) {
    case 0:
        in->eax = fuzz.cr0 ^ (rnd() & (CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM));
        return 0;
    case 1:
        return 2;
    case 2:
        in->eax = fuzz.cr3 | (rnd() & (fuzz.pae ? 0x1F : 0xFFF));
        return 3;
    default:
        in->eax = fuzz.cr4;
        for (int i = 0; i < 3; i++)
            in->eax ^= cr4s[below(sizeof cr4s / sizeof cr4s[0])];
        if (fuzz.paging && !one_in(8)) /* other tables would be needed */
            in->eax = (in->eax & ~(uint32_t)CR4_PAE) | (fuzz.cr4 & CR4_PAE);
        return 4;
    }
}

/* System registers: one instruction with operands that are often nearly right. */
void round_system(void) {
    static const uint32_t msrs[] = {
        0x10,  0x1B,  0x8B,  0xFE,  0x174,      0x175,      0x176,      0x179,      0x1A0,
        0x1D9, 0x200, 0x277, 0x2FF, 0xC0000080, 0xC0000081, 0xC0000100, 0xC0010010, 0x40000000};
    uint8_t *code = (uint8_t *)FUZZ_CODE;
    uint32_t n = 0;
    struct regs in = attempt_regs((uint32_t)code);
    code[n++] = 0x0F;
    switch (below(6)) {
    case 0: /* MOV to and from CRn, EAX */
        code[n++] = (uint8_t)(one_in(4) ? 0x20 : 0x22);
        code[n++] = (uint8_t)(0xC0 | put_control(&in) << 3);
        break;
    case 1: /* MOV to and from DRn */
        code[n++] = (uint8_t)(one_in(3) ? 0x21 : 0x23);
        code[n++] = (uint8_t)(rnd() | 0xC0);
        break;
    case 2: /* RDMSR, WRMSR */
    case 3:
        code[n++] = (uint8_t)(one_in(2) ? 0x30 : 0x32);
        in.ecx = one_in(4) ? rnd() : msrs[below(sizeof msrs / sizeof msrs[0])];
        in.edx = one_in(2) ? 0 : rnd_value();
        break;
    case 4: /* LGDT, LIDT, SMSW, LMSW, INVLPG and their register forms */
        code[n++] = 0x01;
        code[n++] = (uint8_t)(one_in(64) ? rnd() : rnd() & ~0x10u); /* mostly no loads of tables */
        break;
    default: /* SLDT, STR, LLDT, LTR, VERR, VERW */
        code[n++] = 0x00;
        code[n++] = (uint8_t)rnd();
    }
    for (uint32_t more = below(4); more; more--)
        code[n++] = (uint8_t)(0x40 + below(16)); /* INC, DEC */
    code[n++] = 0xCD;
    code[n++] = VECTOR_END;
    attempt_from(&in);
}
