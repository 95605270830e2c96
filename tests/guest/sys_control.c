/* CR0, CR3, CR4: reserved bits and forbidden combinations #GP(0), what reads back, SMSW, LMSW,
 * CLTS, absent control registers (SDM vol 3A, 2.5; vol 2B, MOV). */
#include "guest.h"

CODE(load_cr0, "movl %eax, %cr0; movl %cr0, %ecx; movl %ebx, %cr0");
CODE(load_cr4, "movl %eax, %cr4; movl %cr4, %ecx; movl %ebx, %cr4");
CODE(lmsw_insn, "lmsw %ax; movl %cr0, %ecx; movl %ebx, %cr0");
CODE(clts_insn, "movl %ebx, %ecx; orl $8, %ecx; movl %ecx, %cr0; clts; movl %cr0, %ecx");
CODE(lmsw_memory, "lmsw (%esi); movl %cr0, %ecx; movl %ebx, %cr0");
CODE(cr1, ".byte 0x0f, 0x20, 0xc8");
CODE(cr5, ".byte 0x0f, 0x20, 0xe8");
CODE(cr7, ".byte 0x0f, 0x22, 0xf8");
CODE(cr0_mod0, ".byte 0x0f, 0x20, 0x00"); /* the mod field is ignored: MOV EAX, CR0 */
CODE(cr2_write, "movl %eax, %cr2; movl %cr2, %ecx");
CODE(cr3_low, "movl %eax, %cr3; movl %cr3, %ecx");
CODE(rdpmc_insn, "movl $0x7777, %ecx; rdpmc");

static void attempt(const char *name, const uint8_t *code, uint32_t eax, uint32_t ebx) {
    struct regs in = regs_ring0(code);
    in.eax = eax;
    in.ebx = ebx;
    in.esi = ARENA;
    run(&in);
    printf("%08x ", eax);
    report(name, &in);
}

void guest_main(void) {
    uint32_t base = read_cr0();
    printf("cr0 %08x cr4 %08x\n", base, read_cr4());
    static const uint32_t bits[] = {CR0_MP, CR0_EM, CR0_TS, CR0_NE,
                                    CR0_WP, CR0_AM, CR0_CD, CR0_CD | CR0_NW};
    for (unsigned i = 0; i < sizeof bits / sizeof bits[0]; i++)
        attempt("CR0", load_cr0, base | bits[i], base);
    attempt("CR0, ET cannot be cleared", load_cr0, base & ~CR0_ET, base);
    attempt("CR0, NW without CD", load_cr0, base | CR0_NW, base);

    static const uint32_t allowed[] = {CR4_TSD, CR4_DE,     CR4_PSE,       CR4_PAE,
                                       CR4_PGE, CR4_OSFXSR, CR4_OSXMMEXCPT};
    for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        attempt("CR4", load_cr4, allowed[i], 0);

    attempt("LMSW", lmsw_insn, 0xFFF1 | CR0_TS | CR0_EM | CR0_MP, base);
    attempt("LMSW cannot clear PE", lmsw_insn, 0, base);
    *(volatile uint32_t *)ARENA = CR0_TS;
    attempt("LMSW memory", lmsw_memory, 0, base);
    attempt("CLTS", clts_insn, 0, base);
    write_cr0(base);
    attempt("CR1", cr1, 0, 0);
    attempt("CR5", cr5, 0, 0);
    attempt("CR7", cr7, 0, 0);
    attempt("MOV CR0 with mod 0", cr0_mod0, base, 0);
    attempt("CR2", cr2_write, 0xDEADBEEF, 0);
    attempt("CR3 flags", cr3_low, 0x00400018, 0);

    write_cr4(0);
    RING3(rdpmc_insn);
    /* Turning PG on with PAE off and on is in the paging tests; here PAE may not change under it
     * without its tables, but all other bits may. */
    paging_init();
    attempt("CR0 with paging, WP", load_cr0, read_cr0() | CR0_WP, read_cr0());
    attempt("CR0 with paging, PE clear", load_cr0, read_cr0() & ~CR0_PE, read_cr0());
    paging_off();
    printf("cr0 %08x\n", read_cr0());
}
