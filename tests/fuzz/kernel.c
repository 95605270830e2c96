/* The fuzzing kernel. Command line: the kind of round (code, pages, tables, ports, disks, system),
 * how snippets run (paging, pae, ring3, v86), seed=N and rounds=N. It prints the number of rounds
 * it has done, and powers off after the last. With "input" what runs is in a module (input.c). */
#include "fuzz.h"

struct fuzz fuzz;

extern uint32_t run_esp; /* run.S */
static struct tss df_tss;

/* A double fault comes on whatever stack there is left; a task of its own has a good one. It ends
 * the snippet as run.S ends one (SDM vol 3A, 6.14.3 and chapter 8). */
__asm__(".text\n"
        "df_entry:\n"
        "cld\n"
        "clts\n"
        "pushl $2\n"
        "popfl\n"
        "movl run_esp, %esp\n"
        "testl %esp, %esp\n"
        "jz power_off\n"
        "movl $0, run_esp\n"
        "movl $8, trap + 64\n"
        "popal\n"
        "ret\n");
extern const uint8_t df_entry[];
_Static_assert(offsetof(struct trap, vector) == 64, "df_entry");

static void df_init(void) {
    static uint32_t stack[256];
    df_tss = (struct tss){.cr3 = fuzz.cr3,
                          .eip = (uint32_t)df_entry,
                          .eflags = 2,
                          .esp = (uint32_t)(stack + 256),
                          .cs = SEL_CODE0,
                          .ss = SEL_DATA0,
                          .ds = SEL_DATA0,
                          .es = SEL_DATA0,
                          .fs = SEL_DATA0,
                          .gs = SEL_DATA0};
    gdt_set(SEL_DF, descriptor((uint32_t)&df_tss, 0x67, ACCESS_P | ACCESS_TSS, 0));
    idt[8] = gate(SEL_DF, 0, ACCESS_P | ACCESS_TASK_GATE, 0);
}

/* Breakpoints, single steps, and what DR7.GD traps; the processor has cleared GD. */
static void on_debug(struct trap_frame *frame) {
    write_dr7(0);
    frame->eflags |= FLAG_RF;
    if (one_in(2))
        frame->eflags &= ~(uint32_t)FLAG_TF;
}

static void restore_control(void) {
    enum { CR4_CHECKED = 0xFFFF };
    if (read_cr0() != fuzz.cr0 || read_cr4() != fuzz.cr4 || read_cr3() != fuzz.cr3) {
        write_cr0(CR0_PE | CR0_ET);
        write_cr4(fuzz.cr4);
        write_cr3(fuzz.cr3);
        write_cr0(fuzz.cr0);
    }
}

void restore(void) {
    restore_control();
    gdt_init();
    idt_init();
    df_init();
    if (inb(PIC1 + 1) != 0xFE) {
        pic_init();
        pic_mask(0xFFFE);
    }
    __asm__ volatile("fninit");
}

struct regs attempt_regs(uint32_t eip) {
    struct regs in = fuzz.ring3 ? regs_ring3((const void *)eip) : regs_ring0((const void *)eip);
    uint32_t *gprs[] = {&in.eax, &in.ecx, &in.edx, &in.ebx, &in.ebp, &in.esi, &in.edi};
    for (uint32_t i = 0; i < sizeof gprs / sizeof gprs[0]; i++)
        *gprs[i] = rnd_value();
    if (one_in(8))
        in.esp = rnd_address();
    in.eflags |= FLAG_IF | (rnd() & (FLAGS_STATUS | FLAG_DF));
    if (one_in(8))
        in.eflags |= rnd() & (FLAG_TF | FLAG_RF | FLAG_NT | FLAG_AC | FLAG_ID);
    if (one_in(64))
        in.eflags |= FLAG_IOPL3;
    if (one_in(8))
        in.es = in.fs = fuzz.ring3 ? SEL_DATA3 : SEL_DATA1;
    if (fuzz.v86) {
        in.eflags |= FLAG_VM | (one_in(2) ? FLAG_IOPL3 : 0);
        in.cs = (eip >> 4) & 0xFFF0;
        in.eip = eip - in.cs * 16;
        in.ss = 0x4000;
        in.esp &= 0xFFFF;
        in.ds = below(0x10000);
        in.es = below(0xA000);
        in.fs = in.gs = rnd() & 0xFFFF;
    }
    return in;
}

void attempt_from(const struct regs *in) {
    run(in);
    write_dr7(0); /* first of all, before more code runs into a breakpoint */
    if (trap.vector == VECTOR_IRQ)
        pic_eoi(0);
    restore();
}

void attempt(uint32_t eip) {
    struct regs in = attempt_regs(eip);
    attempt_from(&in);
}

/* From user code, so that runs last longer: image, page tables and the stacks of ring 0. */
static void protect_kernel(void) {
    for (uint32_t gla = 0x100000; gla < STACK_RING0; gla += 0x1000) {
        if (fuzz.pae)
            *paging_pae_pte(gla) &= ~(uint64_t)PTE_U;
        else
            *paging_pte(gla) &= ~(uint32_t)PTE_U;
    }
    paging_flush();
}

struct kind {
    const char *name;
    void (*round)(void);
};
static const struct kind kinds[] = {
    {"code", round_code},   {"pages", round_pages},   {"tables", round_tables},
    {"ports", round_ports}, {"system", round_system}, {"disks", round_disks},
};

/* Whether `text` has the word; *value is what follows its "=". */
static bool option(const char *text, const char *word, uint32_t *value) {
    while (*text) {
        while (*text == ' ')
            text++;
        const char *w = word;
        while (*w && *text == *w)
            text++, w++;
        if (!*w && (*text == ' ' || *text == '=' || !*text)) {
            if (*text == '=' && value)
                for (*value = 0, text++; *text >= '0' && *text <= '9'; text++)
                    *value = *value * 10 + (uint32_t)(*text - '0');
            return true;
        }
        while (*text && *text != ' ')
            text++;
    }
    return false;
}

void guest_main(void) {
    const char *line = (const char *)((const uint32_t *)boot_info)[4];
    uint32_t seed = 1, rounds = 1000;
    const struct kind *kind = NULL;
    option(line, "seed", &seed);
    option(line, "rounds", &rounds);
    fuzz.pae = option(line, "pae", NULL);
    fuzz.paging = fuzz.pae || option(line, "paging", NULL);
    fuzz.ring3 = option(line, "ring3", NULL);
    fuzz.v86 = option(line, "v86", NULL);
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (option(line, kinds[i].name, NULL))
            kind = &kinds[i];
    bool input = option(line, "input", NULL);
    if (!kind && !input) {
        printf("no kind of round on the command line\n");
        return;
    }

    random_seed(seed);
    if (input)
        fuzz_input_mode();
    write_cr0(CR0_PE | CR0_ET | CR0_NE | (one_in(2) ? CR0_MP : 0) | (one_in(2) ? CR0_AM : 0) |
              (one_in(2) ? CR0_WP : 0));
    write_cr4(CR4_PSE | CR4_OSFXSR | CR4_OSXMMEXCPT | (one_in(2) ? CR4_PGE : 0));
    if (fuzz.pae)
        paging_init_pae();
    else if (fuzz.paging)
        paging_init();
    if (fuzz.paging && (fuzz.ring3 || fuzz.v86))
        protect_kernel();
    if (kind && kind->round == round_pages)
        pages_init();
    fuzz.cr0 = read_cr0();
    fuzz.cr3 = read_cr3();
    fuzz.cr4 = read_cr4();
    if (!input) {
        code_fill((uint8_t *)FUZZ_CODE, FUZZ_CODE_BYTES);
        code_fill((uint8_t *)FUZZ_CODE16, FUZZ_CODE_BYTES);
    }

    trap_handlers[1] = on_debug;
    outb(0x43, 0x34); /* channel 0, mode 2: what does not end is cut short */
    outb(0x40, 0);
    outb(0x40, 3);
    restore();
    if (input) {
        fuzz_input();
        return;
    }
    for (uint32_t done = 1; done <= rounds; done++) {
        kind->round();
        if (done % 64 == 0 || done == rounds)
            printf("\n%u\n", done); /* behind whatever a snippet wrote to the port */
    }
}
