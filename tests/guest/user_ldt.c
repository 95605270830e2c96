/* User code whose segments are in the LDT, as a system gives it to the processor: paging,
 * interrupts on, SSE enabled, so that a monitor may run it natively on a copy of the table. Loads,
 * far transfers and LAR/LSL through the LDT, its limit, other LDTs, descriptors that the kernel
 * changes, the accessed bit (SDM vol 3A, 3.4.5, 3.5.1, 5.5 to 5.8; vol 2, LAR, LSL). */
#include "guest.h"

enum {
    CR4_FXSR_XMM = 0x600,
    USER = ACCESS_P | ACCESS_DPL3,
    USED = USER | ACCESS_ACCESSED,
    DATA = 0x0F,
    CODE = 0x17,
    STACK = 0x1F,
    KERNEL = 0x27,
    GATE = 0x2F,
    FRESH = 0x37,
    CONFORMING = 0x3F,
    OTHER_LDT = SEL_FREE,
    BIG_LDT = SEL_FREE + 8
};

CODE(load_fs, "movl %eax, %fs; movl %fs:0, %ecx");
CODE(load_es, "movl %eax, %es; movl %es:4, %ecx; movl $7, %es:4; movl %es:4, %edx");
CODE(load_again, "movl %eax, %fs; movl %fs:0, %ecx; movl %eax, %gs; movl %gs:4, %edx");
CODE(use_ds, "movl 0, %ecx; movl %ecx, 8; addl $1, 8; pushl 8; popl %edx");
CODE(far_call, "lcall *%cs:(%esi); nop");
CODE(target, "movl %cs, %eax; lretl");
CODE(far_jump, "ljmp *%cs:(%esi)");
CODE(landing, "movl %cs, %eax");
/* LAR: bits 19:16 are undefined */
CODE(look, "lar %eax, %ecx; setz %bl; lsl %eax, %edx; setz %bh; verr %ax; sete %ah; verw %ax; sete "
           "%al; andl "
           "$0xf0ff00, %ecx");
CODE(many_loads, "movl $1000, %ecx; 1: movl %eax, %gs; movl %esi, %gs; addl %gs:0, %edx; loop 1b");
CODE(pusha_popa, "pushal; popal; pushl %ds; popl %es; call 1f; 1: popl %eax; subl $1b, %eax");

static uint64_t second[8];
static uint64_t big[8192] __attribute__((aligned(4096)));

static void attempt(const char *name, const uint8_t *code, struct regs *in) {
    in->eip = (uint32_t)code;
    in->eflags |= FLAG_IF;
    run(in);
    report(name, in);
}

static struct regs selector_in_eax(uint32_t selector) {
    struct regs in = regs_ring3(NULL);

    in.eax = selector;
    in.esi = ARENA + 0x100;
    ((volatile uint32_t *)in.esi)[0] = (uint32_t)target;
    ((volatile uint32_t *)in.esi)[1] = selector;
    return in;
}

static void show(const char *name, const uint8_t *code, uint32_t selector) {
    struct regs in = selector_in_eax(selector);

    printf("%04x ", selector);
    attempt(name, code, &in);
}

/* All segments from the LDT. */
static void local(const char *name, const uint8_t *code) {
    struct regs in = regs_ring3(NULL);

    in.cs = CODE;
    in.ss = STACK;
    in.ds = in.es = DATA;
    attempt(name, code, &in);
}

static uint32_t accessed(uint32_t selector) {
    return (uint32_t)(ldt[selector >> 3] >> 40) & 1;
}

static void loads(void) {
    show("data", load_fs, DATA);
    show("data", load_es, DATA);
    show("data, RPL 0", load_fs, DATA & ~3u);
    show("code", load_fs, CODE);
    show("kernel's", load_fs, KERNEL);
    show("gate", load_fs, GATE);
    show("empty", load_fs, 0x47);
    show("beyond the limit", load_fs, 0x87);
    show("TI with index 0", load_fs, 7);
    ldt[0] = ldt[DATA >> 3];
    show("TI with index 0, a descriptor", load_fs, 7);
    ldt[0] = 0;
    printf("accessed %u\n", accessed(FRESH));
    show("fresh", load_again, FRESH);
    printf("accessed %u\n", accessed(FRESH));
    ldt[FRESH >> 3] &= ~((uint64_t)ACCESS_P << 40);
    show("absent", load_fs, FRESH);
    ldt[FRESH >> 3] |= (uint64_t)ACCESS_P << 40;
    show("far call", far_call, CODE);
    show("far call to data", far_call, DATA);
    show("far call to the kernel's", far_call, KERNEL);
    show("far call to conforming code", far_call, CONFORMING);

    struct regs in = selector_in_eax(CODE);
    ((volatile uint32_t *)in.esi)[0] = (uint32_t)landing;
    in.eip = (uint32_t)far_jump;
    in.eflags |= FLAG_IF;
    run(&in);
    in.eip = (uint32_t)landing;
    report("far jump", &in);
}

static void looks(void) {
    static const uint16_t selectors[] = {DATA,       CODE, STACK, KERNEL, GATE,
                                         CONFORMING, 7,    0x47,  0x87};

    for (unsigned i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        show("LAR, LSL, VERR, VERW", look, selectors[i]);
}

static void changes(void) {
    show("data", load_fs, DATA);
    ldt[DATA >> 3] = descriptor(ARENA + 4096, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    show("another base", load_fs, DATA);
    ldt[DATA >> 3] = descriptor(ARENA, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    show("the first base", load_fs, DATA);
    ldt[DATA >> 3] = descriptor(ARENA, 0xFFF, ACCESS_P | ACCESS_DATA_RW, FLAG_SEG_B);
    show("DPL 0", load_fs, DATA);
    ldt[DATA >> 3] = descriptor(ARENA, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    show("DPL 3", load_fs, DATA);
    /* the register keeps what it was loaded with, whatever the table says then */
    struct regs in = regs_ring3(NULL);
    in.ds = DATA;
    ldt[DATA >> 3] = descriptor(ARENA, 0xFFF, USER | ACCESS_DATA_RW | ACCESS_ACCESSED, FLAG_SEG_B);
    attempt("DS in the LDT", use_ds, &in);
    printf("%08x\n", *(volatile uint32_t *)(ARENA + 8));

    __asm__ volatile("lldt %w0" : : "r"(OTHER_LDT));
    show("second LDT", load_fs, DATA);
    show("beyond the second's limit", load_fs, CODE);
    show("beyond the second's limit", look, CODE);
    __asm__ volatile("lldt %w0" : : "r"(0));
    show("no LDT", load_fs, DATA);
    show("no LDT", look, DATA);
    __asm__ volatile("lldt %w0" : : "r"(BIG_LDT));
    show("last of 8192", load_fs, 0xFFFF);
    show("another of 8192", load_fs, 0x8007);
    show("none of 8192", load_fs, 0x800F);
    big[8191] = second[1];
    show("last of 8192", load_fs, 0xFFFF);
    __asm__ volatile("lldt %w0" : : "r"(SEL_LDT));
    show("first LDT", load_fs, DATA);
}

void guest_main(void) {
    paging_init();
    write_cr4(read_cr4() | CR4_FXSR_XMM);
    for (uint32_t i = 0; i < 16; i++)
        *(volatile uint32_t *)(ARENA + i * 4) = 0x1111AA00 + i,
                                           *(volatile uint32_t *)(ARENA + 4096 + i * 4) =
                                               0x2222BB00 + i;
    *(volatile uint32_t *)0 = 0x33333333;
    ldt[DATA >> 3] = descriptor(ARENA, 0xFFF, USED | ACCESS_DATA_RW, FLAG_SEG_B);
    ldt[CODE >> 3] = descriptor(0, 0xFFFFF, USED | ACCESS_CODE_R, FLAG_SEG_32_4K);
    ldt[STACK >> 3] = descriptor(0, 0xFFFFF, USED | ACCESS_DATA_RW, FLAG_SEG_32_4K);
    ldt[KERNEL >> 3] = descriptor(0, 0xFFFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_32_4K);
    ldt[GATE >> 3] = gate(SEL_CODE0, 0, ACCESS_P | ACCESS_CALL_GATE, 0);
    ldt[FRESH >> 3] = descriptor(ARENA, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    ldt[CONFORMING >> 3] = descriptor(0, 0xFFFFF, USED | ACCESS_CODE_CONFORM, FLAG_SEG_32_4K);
    second[1] = descriptor(ARENA + 4096, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    big[0x1000] = descriptor(ARENA, 0xFFF, USER | ACCESS_DATA_RW, FLAG_SEG_B);
    big[8191] = big[0x1000];
    gdt_set(OTHER_LDT, descriptor((uint32_t)second, 15, ACCESS_P | ACCESS_LDT, 0));
    gdt_set(BIG_LDT, descriptor((uint32_t)big, sizeof big - 1, ACCESS_P | ACCESS_LDT, 0));
    report_flags = 0;

    loads();
    looks();
    changes();
    local("all in the LDT", pusha_popa);
    local("all in the LDT", use_ds);
    struct regs in = selector_in_eax(DATA);
    in.esi = FRESH;
    in.edx = 0;
    attempt("many loads", many_loads, &in);
    /* the code segment is conforming */
    in = regs_ring3(NULL);
    in.cs = CONFORMING;
    attempt("in conforming code", pusha_popa, &in);
}
