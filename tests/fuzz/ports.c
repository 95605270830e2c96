/* Random port accesses of every width, most of them at ports where something is. */
#include "fuzz.h"

struct range {
    uint16_t first, last;
};
static const struct range ranges[] = {
    {0x00, 0x0F},   {0x20, 0x21},     {0x40, 0x43},     {0x60, 0x64},   {0x70, 0x77},
    {0x80, 0x8F},   {0x90, 0x9F},     {0xA0, 0xA1},     {0xB0, 0xB3},   {0xC0, 0xDF},
    {0xE9, 0xE9},   {0xF0, 0xFF},     {0x170, 0x177},   {0x1F0, 0x1F7}, {0x2E8, 0x2EF},
    {0x2F8, 0x2FF}, {0x376, 0x377},   {0x378, 0x37F},   {0x3B0, 0x3DF}, {0x3F0, 0x3F7},
    {0x3F8, 0x3FF}, {0x402, 0x402},   {0x4D0, 0x4D1},   {0x510, 0x51B}, {0x600, 0x63F},
    {0x700, 0x70F}, {0xAFE0, 0xAFFF}, {0xC000, 0xC0FF}, {0xCF8, 0xCFF}, {0x5658, 0x5659},
};

static uint16_t rnd_port(void) {
    if (one_in(32))
        return (uint16_t)rnd();
    const struct range *r = &ranges[below(sizeof ranges / sizeof ranges[0])];
    return (uint16_t)(r->first + below(r->last - r->first + 1u) - (one_in(16) ? 1 + below(3) : 0));
}

/* Whether a write may reset the machine or switch it off. That ends the run, so it is rare. */
static bool ends_run(uint16_t port) {
    static const uint16_t ends[] = {0x64, 0x92, 0x604, 0x605, 0xCF9};
    for (uint32_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (port <= ends[i] && port + 4 > ends[i])
            return true;
    return false;
}

static void access(void) {
    uint16_t port = rnd_port();
    bool out = one_in(2);
    if (out && ends_run(port)) {
        if (port == 0x64) /* keyboard controller commands but the pulses of its reset line */
            outb(port, (uint8_t)rnd() % 0xF0);
        else if (one_in(200))
            outl(port, rnd());
        return;
    }
    switch (below(3) << 1 | out) {
    case 0:
        inb(port);
        break;
    case 1:
        outb(port, (uint8_t)rnd_value());
        break;
    case 2:
        inw(port);
        break;
    case 3:
        outw(port, (uint16_t)rnd_value());
        break;
    case 4:
        inl(port);
        break;
    default:
        outl(port, rnd_value());
    }
}

/* A PCI configuration access that reaches a function. */
static void configure(void) {
    outl(0xCF8, 0x80000000u | below(4) << 11 | below(4) << 8 | below(64) << 2);
    if (one_in(2))
        outl(0xCFC, rnd_value());
    else
        inl((uint16_t)(0xCFC + below(4)));
}

void round_ports(void) {
    for (int i = 0; i < 32; i++) {
        access();
        if (one_in(8))
            configure();
    }
    /* INS and OUTS, and a while for the devices to act and interrupt */
    uint8_t *code = (uint8_t *)FUZZ_CODE;
    uint32_t at = 0;
    if (one_in(2))
        code[at++] = (uint8_t)(0xF2 + below(2));
    code[at++] = (uint8_t)(0x6C + below(4));
    code[at++] = 0xB9; /* MOV ECX, 1000; LOOP */
    code[at++] = 0xE8;
    code[at++] = 3;
    code[at++] = 0;
    code[at++] = 0;
    code[at++] = 0xE2;
    code[at++] = 0xFE;
    code[at++] = 0xCD;
    code[at++] = VECTOR_END;
    struct regs in = attempt_regs((uint32_t)code);
    in.edx = rnd_port();
    if (code[0] == 0x6E || code[0] == 0x6F || code[1] == 0x6E || code[1] == 0x6F)
        in.edx = ends_run((uint16_t)in.edx) ? 0x80 : in.edx;
    in.ecx = below(200);
    in.esi = rnd_address();
    in.edi = rnd_address();
    pic_mask((uint16_t)(rnd() & ~5u));
    attempt_from(&in);
    serial_init(); /* for the report */
}
