/* Printing the outcome of a snippet (run.h). */
#include "cpu.h"
#include "run.h"
#include "serial.h"

uint32_t report_flags;

const char *vector_name(uint32_t vector) {
    static const char names[][4] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                    "#NM", "#DF", "#09", "#TS", "#NP", "#SS", "#GP",
                                    "#PF", "#15", "#MF", "#AC", "#MC", "#XM"};
    return vector < sizeof names / sizeof names[0] ? names[vector] : "INT";
}

static bool has_error(uint32_t vector) {
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

void print_flags(uint32_t flags) {
    static const struct {
        uint32_t bit;
        char name;
    } letters[] = {{FLAG_CF, 'C'}, {FLAG_PF, 'P'}, {FLAG_AF, 'A'}, {FLAG_ZF, 'Z'}, {FLAG_SF, 'S'},
                   {FLAG_TF, 'T'}, {FLAG_IF, 'I'}, {FLAG_DF, 'D'}, {FLAG_OF, 'O'}};
    for (unsigned i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (flags & letters[i].bit)
            serial_putc(letters[i].name);
    if (flags & FLAG_IOPL3)
        serial_putc((char)('0' + (flags >> 12 & 3)));
    if (flags & FLAG_NT)
        serial_putc('N');
    if (flags & FLAG_RF)
        serial_putc('R');
    if (flags & FLAG_VM)
        serial_putc('V');
    if (flags & FLAG_AC)
        printf("+AC");
    if (flags & FLAG_ID)
        printf("+ID");
}

static void put_if_changed(const char *name, uint32_t now, uint32_t before) {
    if (now != before)
        printf(" %s=%08x", name, now);
}

static void put_selector_if_changed(const char *name, uint32_t now, uint32_t before) {
    if (now != before)
        printf(" %s=%04x", name, now);
}

void report(const char *label, const struct regs *in) {
    const struct regs *r = &trap.regs;
    bool ended = trap.vector == VECTOR_END;
    printf("%s: ", label);
    if (ended) {
        printf("end");
    } else {
        printf("%s", vector_name(trap.vector));
        if (vector_name(trap.vector)[0] == 'I')
            printf(" %02x", trap.vector);
        if (has_error(trap.vector))
            printf("(%04x)", trap.error);
        printf(" eip%s%d", (int)(r->eip - in->eip) < 0 ? "" : "+", (int)(r->eip - in->eip));
        if (trap.vector == 14)
            printf(" cr2=%08x", trap.cr2);
    }
    put_if_changed("eax", r->eax, in->eax);
    put_if_changed("ecx", r->ecx, in->ecx);
    put_if_changed("edx", r->edx, in->edx);
    put_if_changed("ebx", r->ebx, in->ebx);
    if (r->esp != in->esp)
        printf(" esp%s%d", (int)(r->esp - in->esp) < 0 ? "" : "+", (int)(r->esp - in->esp));
    put_if_changed("ebp", r->ebp, in->ebp);
    put_if_changed("esi", r->esi, in->esi);
    put_if_changed("edi", r->edi, in->edi);
    put_selector_if_changed("cs", r->cs, in->cs);
    put_selector_if_changed("ss", r->ss, in->ss);
    put_selector_if_changed("ds", r->ds, in->ds);
    put_selector_if_changed("es", r->es, in->es);
    put_selector_if_changed("fs", r->fs, in->fs);
    put_selector_if_changed("gs", r->gs, in->gs);
    if (ended && report_flags) {
        printf(" flags=");
        print_flags(r->eflags & report_flags);
    } else if (!ended && ((r->eflags ^ in->eflags) & ~FLAG_RF)) {
        printf(" flags=");
        print_flags(r->eflags & ~FLAG_RF);
    }
    printf("\n");
}

void try_ring0(const char *label, const void *code) {
    struct regs in = regs_ring0(code);
    run(&in);
    report(label, &in);
}

void try_ring3(const char *label, const void *code) {
    struct regs in = regs_ring3(code);
    run(&in);
    report(label, &in);
}
