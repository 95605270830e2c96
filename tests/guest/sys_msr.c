/* RDMSR and WRMSR: unknown MSRs and reserved bits are #GP(0) with registers kept; the usual ones
 * hold what was written (SDM vol 2B; vol 4). */
#include "guest.h"

CODE(read_msr, "rdmsr");
CODE(write_msr, "wrmsr");

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t msr, uint32_t lo,
                    uint32_t hi) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.ecx = msr;
    in.eax = lo;
    in.edx = hi;
    run(&in);
    printf("ring%d %08x ", ring, msr);
    report(name, &in);
}

static void keeps(uint32_t msr, uint64_t value) {
    uint64_t old = rdmsr(msr);
    wrmsr(msr, value);
    uint64_t now = rdmsr(msr);
    wrmsr(msr, old);
    printf("%08x keeps %08x%08x: %s\n", msr, (uint32_t)(value >> 32), (uint32_t)value,
           now == value ? "yes" : "no");
}

void guest_main(void) {
    attempt("RDMSR unknown", read_msr, 0, 0x12345678, 1, 2);
    attempt("WRMSR unknown", write_msr, 0, 0x12345678, 1, 2);
    attempt("RDMSR unknown", read_msr, 0, 0xC0009999, 1, 2);
    attempt("RDMSR", read_msr, 3, 0x10, 1, 2);
    attempt("WRMSR", write_msr, 3, 0x174, 1, 2);
    attempt("WRMSR EFER reserved", write_msr, 0, 0xC0000080, 0x2, 0);
    attempt("WRMSR EFER reserved high", write_msr, 0, 0xC0000080, 0, 1);
    attempt("RDMSR EFER", read_msr, 0, 0xC0000080, 1, 2);
    keeps(0x174, 0x1234);
    keeps(0x175, 0x89ABCDEF);
    keeps(0x176, 0xFEDCBA98);
    keeps(0x277, 0x0007010600070106);
    attempt("WRMSR PAT bad type", write_msr, 0, 0x277, 0x02020202, 0x02020202);
    printf("PAT %08x %08x\n", (uint32_t)(rdmsr(0x277) >> 32), (uint32_t)rdmsr(0x277));
}
