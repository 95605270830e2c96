/* Segment register loads: every access byte against DS and SS, by CPL and RPL (SDM vol 2B, MOV;
 * vol 3A, 5.5-5.7), the accessed bit, and the null and out-of-table selectors.
 *
 * One character per access byte 00..FF: a loaded, accessed bit set by it; . loaded, already set;
 * G #GP(selector), N #NP(selector), S #SS(selector); ? anything else. */
#include "guest.h"

CODE(load_ds, "movw %ax, %ds");
CODE(load_es, "movw %ax, %es");
CODE(load_fs, "movw %ax, %fs");
CODE(load_gs, "movw %ax, %gs");
CODE(load_ss, "movw %ax, %ss; nop; movw %dx, %ss; nop");
CODE(pop_ds, "pushl %eax; popl %ds");
CODE(pop_es, "pushl %eax; popl %es");
CODE(pop_fs, "pushl %eax; popl %fs");
CODE(pop_gs, "pushl %eax; popl %gs");
CODE(pop_ss, "pushl %eax; popl %ss");
CODE(load_lds, "pushl %eax; pushl $0x12345678; ldsl (%esp), %ecx");
CODE(load_les, "pushl %eax; pushl $0x12345678; lesl (%esp), %ecx");
CODE(load_lfs, "pushl %eax; pushl $0x12345678; lfsl (%esp), %ecx");
CODE(load_lgs, "pushl %eax; pushl $0x12345678; lgsl (%esp), %ecx");
CODE(load_lss, "pushl %eax; pushl $0x12345678; lssl (%esp), %ecx");
CODE(read_null, "movw %ax, %ds; nop; movl (%ecx), %edx");
CODE(write_null, "movw %ax, %gs; nop; movl %edx, %gs:(%ecx)");
CODE(store_sregs,
     "movl $-1, %eax; movl %ds, %eax; movl $-1, %ecx; movw %es, %cx; movw %ss, (%esi); "
     "pushl %fs; pushl %gs; popl %edx; popl %ebx");

static char outcome(uint16_t selector, uint8_t before) {
    uint32_t error = selector & 0xFFFCu;
    if (trap.vector == VECTOR_END)
        return (gdt_access(selector) & 1) != (before & 1) ? 'a' : '.';
    if (trap.error != error || gdt_access(selector) != before)
        return '?';
    return trap.vector == 13 ? 'G' : trap.vector == 11 ? 'N' : trap.vector == 12 ? 'S' : '?';
}

static void matrix(const char *name, const uint8_t *code, int ring, int rpl) {
    uint16_t selector = (uint16_t)(SEL_FREE | rpl);
    for (unsigned access = 0; access < 256; access++) {
        if (access % 64 == 0)
            printf("%s cpl%d rpl%d %02x ", name, ring, rpl, access);
        struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
        gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, (uint8_t)access, FLAG_SEG_32_4K));
        in.eax = selector;
        in.edx = in.ss;
        run(&in);
        serial_putc(outcome(selector, (uint8_t)access));
        if (access % 64 == 63)
            printf("\n");
    }
}

static void one(const char *name, const uint8_t *code, int ring, uint16_t selector) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.eax = selector;
    in.edx = in.ss;
    in.ecx = in.esi = ARENA;
    run(&in);
    printf("cpl%d %04x ", ring, selector);
    report(name, &in);
}

#define ONE(code, ring, selector) one(#code, code, ring, selector)

void guest_main(void) {
    matrix("ds", load_ds, 0, 0);
    matrix("ds", load_ds, 0, 3);
    matrix("ds", load_ds, 3, 0);
    matrix("ds", load_ds, 3, 3);
    matrix("ss", load_ss, 0, 0);
    matrix("ss", load_ss, 0, 3);
    matrix("ss", load_ss, 3, 3);

    static const uint16_t selectors[] = {
        0, 1, 3, SEL_DATA3, SEL_DATA3 & ~3, GDT_SLOTS * 8, 0xFFF8, SEL_FREE, 4, 0x84};
    gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_DATA_RW, FLAG_SEG_32_4K));
    for (unsigned i = 0; i < sizeof selectors / sizeof selectors[0]; i++) {
        for (int ring = 0; ring <= 3; ring += 3) {
            ONE(load_ds, ring, selectors[i]);
            ONE(load_es, ring, selectors[i]);
            ONE(load_fs, ring, selectors[i]);
            ONE(load_gs, ring, selectors[i]);
            ONE(load_ss, ring, selectors[i]);
            ONE(pop_ds, ring, selectors[i]);
            ONE(pop_es, ring, selectors[i]);
            ONE(pop_fs, ring, selectors[i]);
            ONE(pop_gs, ring, selectors[i]);
            ONE(load_lds, ring, selectors[i]);
            ONE(load_les, ring, selectors[i]);
            ONE(load_lfs, ring, selectors[i]);
            ONE(load_lgs, ring, selectors[i]);
        }
    }
    ONE(pop_ss, 0, 0);
    ONE(pop_ss, 3, 0);
    ONE(load_lss, 0, 0);
    ONE(load_lss, 3, SEL_DATA0);
    *(volatile uint32_t *)ARENA = 0x5A5A5A5A;
    for (uint16_t null = 0; null < 4; null++) {
        ONE(read_null, 0, null);
        ONE(write_null, 3, null);
    }
    ONE(store_sregs, 0, 0);
    ONE(store_sregs, 3, 0);
    printf("stored %x\n", *(volatile uint16_t *)ARENA);

    /* The last descriptor must lie in the table whole: limit + 1 one short of the slot's end. */
    lgdt(gdt, SEL_FREE + 6);
    gdt_set(SEL_FREE, descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    ONE(load_ds, 0, SEL_FREE);
    lgdt(gdt, SEL_FREE + 7);
    ONE(load_ds, 0, SEL_FREE);
    lgdt(gdt, sizeof gdt - 1);

    /* Changing the descriptor does not change a segment that is loaded (the hidden part). */
    gdt_set(SEL_FREE, descriptor(ARENA, 0xFFFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    *(volatile uint32_t *)ARENA = 0xA0A0A0A0;
    uint32_t before, after, reloaded;
    __asm__ volatile("movw %w3, %%fs; movl %%fs:0, %0"
                     : "=r"(before)
                     : "0"(0), "m"(before), "r"(SEL_FREE));
    gdt_set(SEL_FREE, descriptor(ARENA + 4096, 0xFFFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_32_4K));
    *(volatile uint32_t *)(ARENA + 4096) = 0xB1B1B1B1;
    __asm__ volatile("movl %%fs:0, %0" : "=r"(after) : : "memory");
    __asm__ volatile("movw %w1, %%fs; movl %%fs:0, %0" : "=r"(reloaded) : "r"(SEL_FREE) : "memory");
    printf("hidden part: %08x %08x %08x\n", before, after, reloaded);
}
