/* LAR, LSL, VERR, VERW, ARPL (SDM vol 2): ZF and result by descriptor, CPL and RPL.
 *
 * The matrices hold one character per access byte 00..FF: 1 when ZF is set, else 0. LAR and LSL
 * must leave the destination alone when ZF is clear; ? says they did not. */
#include "guest.h"

CODE(lar, "larl %eax, %ecx");
CODE(lsl, "lsll %eax, %ecx");
CODE(verr, "verr %ax");
CODE(verw, "verw %ax");
CODE(arpl, "arpl %cx, %ax");
CODE(lar16, "larw %ax, %cx");
CODE(lsl16, "lslw %ax, %cx");
CODE(lar_memory, "larl (%esi), %ecx");
CODE(arpl_memory, "arpl %ax, (%esi)");

static void matrix(const char *name, const uint8_t *code, int ring, int rpl) {
    for (unsigned access = 0; access < 256; access++) {
        if (access % 64 == 0)
            printf("%s cpl%d rpl%d %02x ", name, ring, rpl, access);
        struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
        gdt_set(SEL_FREE, descriptor(0x12345678, 0x6789A, (uint8_t)access, FLAG_SEG_B));
        in.eax = (uint32_t)(SEL_FREE | rpl);
        run(&in);
        bool zf = trap.regs.eflags & FLAG_ZF;
        uint32_t want = in.ecx;
        if (zf && code == lar)
            want = 0x00400000 | access << 8;
        if (zf && code == lsl)
            want = 0x6789A;
        bool wrong =
            trap.regs.ecx != want && !(zf && code == lar && (trap.regs.ecx & ~0xF0000u) == want);
        serial_putc(trap.vector != VECTOR_END || wrong ? '?' : zf ? '1' : '0');
        if (access % 64 == 63)
            printf("\n");
    }
}

static void one(const char *name, const uint8_t *code, uint32_t eax, uint32_t ecx) {
    struct regs in = regs_ring3(code);
    in.eax = eax;
    in.ecx = ecx;
    in.esi = ARENA;
    run(&in);
    if (code == lar || code == lar_memory)
        trap.regs.ecx &= ~0xF0000u; /* undefined */
    printf("%08x %08x ", eax, ecx);
    report(name, &in);
}

#define ONE(code, eax, ecx) one(#code, code, eax, ecx)

void guest_main(void) {
    report_flags = FLAG_ZF;
    for (int i = 0; i < 3; i++) {
        int ring = i ? 3 : 0, rpl = i == 1 ? 0 : 3;
        matrix("lar", lar, ring, rpl);
        matrix("lsl", lsl, ring, rpl);
        matrix("verr", verr, ring, rpl);
        matrix("verw", verw, ring, rpl);
    }

    gdt_set(SEL_FREE,
            descriptor(0, 0x12345, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    ONE(lsl, SEL_FREE, 0);
    ONE(lsl16, SEL_FREE, 0);
    ONE(lar16, SEL_FREE, 0xAAAAAAAA);
    gdt_set(SEL_FREE,
            descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_DOWN, FLAG_SEG_32_4K));
    ONE(lsl, SEL_FREE, 0);
    ONE(lsl, 0, 5);
    ONE(lar, 3, 5);
    ONE(lar, GDT_SLOTS * 8, 5);
    ONE(verr, 0, 0);
    ONE(verw, GDT_SLOTS * 8, 0);
    ONE(lar, 0xDEAD0000 | SEL_DATA3, 0);

    *(volatile uint32_t *)ARENA = SEL_DATA3;
    ONE(lar_memory, 0, 0);
    for (uint32_t i = 0; i < 16; i++)
        ONE(arpl, 0xFFFF0100 | (i & 3), 0x20 | i >> 2);
    *(volatile uint32_t *)ARENA = 0x55550009;
    ONE(arpl_memory, 3, 0);
    printf("memory %08x\n", *(volatile uint32_t *)ARENA);
}
