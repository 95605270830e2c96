/* BT, BTS, BTR, BTC with the bit offset in a register: the operand stands anywhere within 256 MiB;
 * pages, limits and faults are those of where it stands (SDM vol 2A, BT). */
#include "guest.h"

CODE(bt, "btl %eax, (%esi)");
CODE(bts, "btsl %eax, (%esi)");
CODE(btr, "btrl %eax, (%esi)");
CODE(btc, "btcl %eax, (%esi)");
CODE(lock_bts, "lock btsl %eax, (%esi)");
CODE(bts16, "btsw %ax, (%esi)");
CODE(btc16, "btcw %ax, 2(%esi)");
CODE(bts_sp, "movl %esp, %ebx; movl %eax, %esp; btsl %esp, (%esi); movl %ebx, %esp");
CODE(addr16, "addr16 btsl %eax, (%bx)");
CODE(bts_fs, "btsl %eax, %fs:(%esi)");
CODE(immediate, "btsl $37, (%esi)");

enum { BEFORE = 0x4000, AFTER = 0x4000, SEL_FS = SEL_FREE | 3 };

/* Prints every byte around ARENA that is not zero, and clears it. */
static void changes(void) {
    for (uint32_t at = ARENA - BEFORE; at < ARENA + AFTER; at++) {
        volatile uint8_t *p = (volatile uint8_t *)at;

        if (*p) {
            printf(" [%d]=%02x", (int)(at - ARENA), *p);
            *p = 0;
        }
    }
}

static void attempt_at(const char *name, const uint8_t *code, int ring, uint32_t esi, uint32_t eax,
                       uint32_t flags) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

    in.esi = esi;
    in.eax = eax;
    in.ebx = 0x8010;
    in.fs = SEL_FS;
    in.eflags |= flags;
    run(&in);
    printf("ring%d %08x %s:", ring, eax, name);
    if (trap.vector == VECTOR_END)
        printf(" ZF %d CF %d", trap.regs.eflags >> 6 & 1, trap.regs.eflags & 1);
    else
        printf(" %s(%04x) eip+%u", vector_name(trap.vector), trap.error, trap.regs.eip - in.eip);
    if (trap.vector == 14)
        printf(" cr2 %08x", trap.cr2);
    changes();
    printf("\n");
}

static void attempt(const char *name, const uint8_t *code, uint32_t eax) {
    attempt_at(name, code, 0, ARENA, eax, 0);
    attempt_at(name, code, 3, ARENA, eax, 0);
}

static void everywhere(void) {
    static const uint32_t offsets[] = {0,    5,      31,         32,       -1u,         -32u,
                                       -33u, 0x8000, 0x8000 - 1, -0x8000u, 0x10000 + 77};

    for (uint32_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        attempt("bts", bts, offsets[i]);
    attempt("lock bts", lock_bts, 0x8021);
    attempt("bts 16", bts16, 0x7FFF);
    attempt("bts 16", bts16, 0xFFFF8000);
    attempt("btc 16", btc16, 0x1FFF7);
    attempt("bts esp", bts_sp, 0x9003);
    attempt("bts imm", immediate, 0);
    for (uint32_t i = 0; i < 2; i++) {
        *(volatile uint8_t *)(ARENA + 0x1004) = i ? 0 : 0x81;
        attempt_at("bt", bt, 3, ARENA, 0x8020, i ? FLAG_CF | FLAG_ZF : 0);
        *(volatile uint8_t *)(ARENA + 0x1004) = i ? 0 : 0x81;
        attempt_at("btr", btr, 3, ARENA, 0x8020, FLAG_ZF);
        *(volatile uint8_t *)(ARENA + 0x1004) = i ? 0 : 0x81;
        attempt_at("btc", btc, 0, ARENA, 0x8020, FLAG_ZF);
    }
}

void guest_main(void) {
    gdt_set(SEL_FS, descriptor(ARENA, 0xFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_B));
    everywhere();

    /* The limit holds for the operand, not for the address it is counted from. */
    for (int ring = 0; ring <= 3; ring += 3) {
        attempt_at("within the limit", bts_fs, ring, 0xFF0, 0x5F, 0);
        attempt_at("beyond the limit", bts_fs, ring, 0xFF0, 0x80, 0);
        attempt_at("back within the limit", bts_fs, ring, 0x2000, -0x10000u, 0);
        attempt_at("below zero", bts_fs, ring, 0, -1u, 0);
        attempt_at("around 4 GiB", bts, ring, 0xFFFFFFF0, (ARENA + 0x10) * 8 + 3, 0);
    }

    /* Neighbouring linear pages on frames that are none. */
    paging_init();
    paging_set(ARENA - 0x1000, (ARENA + 0x20000) | PTE_ALL);
    paging_set(ARENA, (ARENA + 0x24000) | PTE_ALL);
    paging_set(ARENA + 0x1000, (ARENA + 0x22000) | PTE_ALL);
    paging_set(ARENA + 0x2000, (ARENA + 0x26000) | PTE_ALL);
    everywhere();
    paging_set(ARENA + 0x1000, (ARENA + 0x22000) | PTE_P | PTE_U);
    attempt_at("read-only", bts, 3, ARENA, 0x8005, 0);
    attempt_at("read-only, read", bt, 3, ARENA, 0x8005, 0);
    attempt_at("not mapped", bts, 0, ARENA, 0x7FFFFFE3, 0);
    attempt_at("not mapped", bts, 3, ARENA, 0x7FFFFFE3, 0);
    attempt_at("not mapped", bt, 3, ARENA, 0x7FFFFFFF, 0);
    attempt_at("not mapped", bts, 3, ARENA + 0x3000000, 0x7FFFFFFF, 0);
    attempt_at("not mapped", bts, 3, ARENA, 0x80000000, 0);

    /* With 16-bit addresses, counted from an address (8010h) whose page is not there. */
    paging_set(0x8000, 0);
    *(volatile uint8_t *)0x7010 = 0;
    attempt_at("16-bit address", addr16, 3, 0, -0x8000u, 0);
    printf("%02x\n", *(volatile uint8_t *)0x7010);
}
