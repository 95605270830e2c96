/* SGDT, SIDT, SLDT, STR, SMSW in both operand sizes and rings; LGDT, LIDT, LLDT, LTR and their
 * checks; the busy bit of the TSS (SDM vol 2, vol 3A 2.4, 8.2). */
#include "guest.h"

CODE(sgdt, "sgdt (%esi)");
CODE(sidt, "sidt (%esi)");
CODE(sldt, "sldtl %eax; sldtw %cx; sldt (%esi)");
CODE(str, "strl %eax; strw %cx; str (%esi)");
CODE(smsw, "smsww %cx; smsw (%esi)");
CODE(lldt, "lldt %ax; sldtl %ecx");
CODE(ltr, "ltr %ax; strl %ecx");
CODE(lgdt_reg, ".byte 0x0f, 0x01, 0xd0");
CODE(lidt_reg, ".byte 0x0f, 0x01, 0xd8");

static volatile uint32_t *const arena = (volatile uint32_t *)ARENA;

static void fill(void) {
    arena[0] = arena[1] = 0xEEEEEEEE;
}

/* Table addresses move with the image, so they are compared, not printed. */
static void show_store(const char *name, const uint8_t *code, int ring, const void *base) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = ARENA;
    fill();
    run(&in);
    report(name, &in);
    uint32_t stored = arena[0] >> 16 | arena[1] << 16;
    printf("  limit %04x base %s beyond %04x\n", arena[0] & 0xFFFF,
           stored == (uint32_t)base ? "right" : "wrong", arena[1] >> 16);
}

static void show_selector(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = ARENA;
    fill();
    run(&in);
    report(name, &in);
    printf("  memory %08x\n", arena[0]);
}

static void load(const char *name, const uint8_t *code, uint16_t selector) {
    struct regs in = regs_ring0(code);
    in.eax = selector;
    run(&in);
    printf("%04x ", selector);
    report(name, &in);
}

static void load_types(const char *name, const uint8_t *code) {
    for (unsigned access = 0; access < 256; access++) {
        if ((access & 0x60) != 0)
            continue;
        if (access % 128 == 0)
            printf("%s %02x ", name, access);
        gdt_set(SEL_FREE,
                descriptor((uint32_t)(code == ltr ? (void *)&tss : (void *)ldt),
                           code == ltr ? sizeof tss - 1 : sizeof ldt - 1, (uint8_t)access, 0));
        struct regs in = regs_ring0(code);
        in.eax = SEL_FREE;
        run(&in);
        bool error = trap.error == SEL_FREE;
        char c = trap.vector == 13 && error   ? 'G'
                 : trap.vector == 11 && error ? 'N'
                 : trap.vector == VECTOR_END  ? (gdt_access(SEL_FREE) != access ? 'b' : '.')
                                              : '?';
        serial_putc(c);
        if (access % 128 == 31)
            printf("\n");
    }
}

void guest_main(void) {
    show_store("ring0 sgdt", sgdt, 0, gdt);
    show_store("ring3 sgdt", sgdt, 3, gdt);
    show_store("ring0 sidt", sidt, 0, idt);
    show_store("ring3 sidt", sidt, 3, idt);
    for (int ring = 0; ring <= 3; ring += 3) {
        printf("cpl%d\n", ring);
        show_selector("sldt", sldt, ring);
        show_selector("str", str, ring);
        show_selector("smsw", smsw, ring);
    }
    RING0(lgdt_reg);
    RING0(lidt_reg);

    load_types("lldt", lldt);
    load("lldt", lldt, 0);
    load("lldt", lldt, 3);
    load("lldt", lldt, 0x40C);
    load("lldt", lldt, SEL_LDT | 4);
    load("lldt", lldt, GDT_SLOTS * 8);
    load("lldt", lldt, SEL_DATA0);
    load("lldt", lldt, SEL_LDT | 3);
    load("lldt", lldt, SEL_LDT);

    printf("tss access %02x\n", gdt_access(SEL_TSS));
    load("ltr busy", ltr, SEL_TSS);
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS, 0));
    load("ltr", ltr, SEL_TSS);
    printf("tss access %02x\n", gdt_access(SEL_TSS));
    load_types("ltr", ltr);
    load("ltr null", ltr, 0);
    load("ltr ldt", ltr, SEL_TSS | 4);
    load("ltr beyond", ltr, GDT_SLOTS * 8);
    gdt_set(SEL_TSS, descriptor((uint32_t)&tss, sizeof tss - 1, ACCESS_P | ACCESS_TSS, 0));
    load("ltr", ltr, SEL_TSS);

    /* LGDT with a 16-bit operand takes 24 bits of base. The table is only stored, not used. */
    uint8_t *pointer = (uint8_t *)ARENA;
    static const uint8_t image[6] = {0x34, 0x12, 0x78, 0x56, 0x34, 0xAB};
    for (int i = 0; i < 6; i++)
        pointer[i] = image[i];
    __asm__ volatile("lgdtw (%0)\n sgdt 8(%0)\n lgdtl (%1)\n lidtl (%0)\n sidt 16(%0)\n"
                     :
                     : "r"(pointer), "r"(&(struct {
                           uint16_t limit;
                           uint32_t base;
                       } __attribute__((packed))){sizeof gdt - 1, (uint32_t)gdt})
                     : "memory");
    lidt(idt, sizeof idt - 1);
    printf("lgdtw: %04x %04x%04x\n", *(uint16_t *)(pointer + 8), *(uint16_t *)(pointer + 12),
           *(uint16_t *)(pointer + 10));
    printf("lidtl: %04x %04x%04x\n", *(uint16_t *)(pointer + 16), *(uint16_t *)(pointer + 20),
           *(uint16_t *)(pointer + 18));
}
