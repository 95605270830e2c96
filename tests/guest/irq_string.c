/* String instructions under a fast timer: an interrupt between two of them, or between two elements
 * of a repeat, neither loses an element nor does one twice (SDM vol 2, REP; vol 3A, 6.6). */
#include "guest.h"
#include "storm.h"

/* Runs `body` n times from the same ESI and EDI; what it made of them is added up in EBX. Long
 * enough for most interrupts to come inside. */
#define AGAIN(n, body)                                                                             \
    "movl $" #n ", %ebp; 9: pushl %esi; pushl %edi; " body                                         \
    "; leal (%ebx, %esi, 2), %ebx; roll $3, %ebx; addl %edi, %ebx; addl %ecx, %ebx; "              \
    "popl %edi; popl %esi; decl %ebp; jnz 9b"
#define SINGLE(body) AGAIN(60, ".rept 300; " body "; .endr")

CODE(movsb, SINGLE("movsb"));
CODE(movsw, SINGLE("movsw"));
CODE(movsl, SINGLE("movsl"));
CODE(stosb, SINGLE("stosb; incl %eax"));
CODE(stosl, SINGLE("stosl; addl %edi, %eax"));
CODE(lodsb, SINGLE("lodsb; addl %eax, %ebx; roll $1, %ebx"));
CODE(lodsl, SINGLE("lodsl; addl %eax, %ebx; roll $1, %ebx"));
CODE(cmpsb, SINGLE("cmpsb; adcl %ebx, %ebx"));
CODE(cmpsl, SINGLE("cmpsl; adcl %ebx, %ebx"));
CODE(scasb, SINGLE("scasb; adcl %ebx, %ebx"));
CODE(scasl, SINGLE("scasl; adcl %ebx, %ebx"));
CODE(in_place, SINGLE("movl %esi, %edi; lodsb; addb $1, %al; stosb"));
CODE(flags_kept, SINGLE("movsb; adcl $3, %eax; stosb; rcll $1, %ebx; lodsb; adcl %edi, %edx"));
CODE(fs_source, SINGLE("movsb %fs:(%esi), %es:(%edi); lodsb %fs:(%esi); addl %eax, %ebx"));

#define MANY(body) AGAIN(8, "movl $60, %edx; 1: movl %edx, %ecx; " body "; decl %edx; jnz 1b")
#define LONG(body) AGAIN(4, "movl $1900, %ecx; " body)

CODE(many_rep_movsb, MANY("rep movsb"));
CODE(many_rep_movsl, MANY("rep movsl"));
CODE(many_rep_stosb, MANY("rep stosb; notl %eax"));
CODE(many_rep_lodsl, MANY("rep lodsl; addl %eax, %ebx"));
CODE(many_repe_cmpsb, MANY("repe cmpsb; adcl %ecx, %ebx"));
CODE(many_repne_cmpsb, MANY("incl %edi; repne cmpsb; adcl %ecx, %ebx"));
CODE(many_repe_scasb,
     MANY("rep stosb; xchgl %esi, %edi; addl $20, %ecx; repe scasb; adcl %ecx, %ebx"));
CODE(many_repne_scasb, MANY("addl $40, %ecx; repne scasb; adcl %ecx, %ebx"));
CODE(long_rep_movsb, LONG("rep movsb"));
CODE(long_rep_movsw, LONG("rep movsw"));
CODE(long_rep_movsl, LONG("rep movsl"));
CODE(long_rep_movsb_overlap, LONG("leal 3(%esi), %edi; rep movsb"));
CODE(long_rep_movsl_overlap, LONG("leal -6(%esi), %edi; rep movsl"));
CODE(long_rep_stosb, LONG("rep stosb; incl %eax"));
CODE(long_rep_stosl, LONG("rep stosl; incl %eax"));
CODE(long_rep_lodsb, LONG("rep lodsb; addl %eax, %ebx"));
CODE(long_repe_cmpsb, LONG("repe cmpsb; adcl %ecx, %ebx"));
CODE(long_repe_cmpsl, LONG("repe cmpsl; adcl %ecx, %ebx"));
CODE(long_repne_scasw, LONG("movl $0x12345, %eax; repne scasw; adcl %ecx, %ebx"));
CODE(long_repe_scasl, LONG("rep stosl; movl $1900, %ecx; leal -4(%edi), %edi; repe scasl"));

#define ROW(code)                                                                                  \
    { #code, code }
static const struct row {
    const char *name;
    const uint8_t *code;
} rows[] = {
    ROW(movsb),
    ROW(movsw),
    ROW(movsl),
    ROW(stosb),
    ROW(stosl),
    ROW(lodsb),
    ROW(lodsl),
    ROW(cmpsb),
    ROW(cmpsl),
    ROW(scasb),
    ROW(scasl),
    ROW(in_place),
    ROW(flags_kept),
    ROW(fs_source),
    ROW(many_rep_movsb),
    ROW(many_rep_movsl),
    ROW(many_rep_stosb),
    ROW(many_rep_lodsl),
    ROW(many_repe_cmpsb),
    ROW(many_repne_cmpsb),
    ROW(many_repe_scasb),
    ROW(many_repne_scasb),
    ROW(long_rep_movsb),
    ROW(long_rep_movsw),
    ROW(long_rep_movsl),
    ROW(long_rep_movsb_overlap),
    ROW(long_rep_movsl_overlap),
    ROW(long_rep_stosb),
    ROW(long_rep_stosl),
    ROW(long_rep_lodsb),
    ROW(long_repe_cmpsb),
    ROW(long_repe_cmpsl),
    ROW(long_repne_scasw),
    ROW(long_repe_scasl),
};

enum { HITS = 25, HALF = STORM_BYTES / 2 };

static void all(const char *title, int ring, uint32_t eflags) {
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct regs in = ring ? regs_ring3(rows[i].code) : regs_ring0(rows[i].code);
        in.esi = STORM_MEMORY + (eflags & FLAG_DF ? HALF - 0x14 : 0x10);
        in.edi = in.esi + HALF;
        in.eflags |= eflags;
        wrong += storm(rows[i].name, &in, HITS);
    }
    printf("%s, ring %d, %s: %u wrong\n", title, ring, eflags & FLAG_DF ? "down" : "up", wrong);
}

static void everywhere(const char *title) {
    for (int ring = 0; ring <= 3; ring += 3) {
        all(title, ring, 0);
        all(title, ring, FLAG_DF);
    }
}

void guest_main(void) {
    storm_begin();
    everywhere("no paging");
    paging_init();
    everywhere("paging");
}
