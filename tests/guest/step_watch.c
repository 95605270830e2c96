/* Data breakpoints: what reads and what writes, lengths and alignment, operands that overlap or
 * cross a page, several at once, sticky DR6; not instruction fetches nor addresses only computed
 * (SDM vol 3B, 17.2.4, 17.2.5). */
#include "guest.h"

CODE(load1, "movb (%esi), %al; nop");
CODE(load2, "movw (%esi), %ax; nop");
CODE(load4, "movl (%esi), %eax; nop");
CODE(store1, "movb %al, (%esi); nop");
CODE(store4, "movl %eax, (%esi); nop");
CODE(two_stores, "movb %al, (%esi); movb %al, 2(%esi); nop");
CODE(add, "addl %eax, (%esi); nop");
CODE(compare, "cmpl %eax, (%esi); nop");
CODE(exchange, "xchgl %eax, (%esi); nop");
CODE(cmpxchg, "lock cmpxchgl %ecx, (%esi); nop");
CODE(cmpxchg8b, "cmpxchg8b (%esi); nop");
CODE(cmov, "cmpl %eax, %eax; cmovnel (%esi), %eax; nop");
CODE(setcc, "setz (%esi); nop");
CODE(bit, "movl $-32, %eax; btl %eax, 4(%esi); nop");
CODE(bit_set, "movl $-32, %eax; btsl %eax, 4(%esi); nop");
CODE(push, "leal 4(%esi), %esp; pushl %eax; nop");
CODE(push_mem, "pushl (%esi); nop");
CODE(pop, "movl %esi, %esp; popl %eax; nop");
CODE(pop_mem, "pushl %eax; popl (%esi); nop");
CODE(pushf, "leal 4(%esi), %esp; pushfl; nop");
CODE(push_seg, "leal 4(%esi), %esp; pushl %ds; nop");
CODE(pop_seg, "movl %esi, %esp; popl %es; nop");
CODE(pusha, "leal 8(%esi), %esp; pushal; nop");
CODE(popa, "leal -28(%esi), %esp; popal; nop");
CODE(call, "leal 4(%esi), %esp; call 1f; 1: nop");
CODE(call_mem, "call *(%esi); 1: nop");
CODE(ret, "movl %esi, %esp; ret; nop");
CODE(far_call, "leal 4(%esi), %esp; lcall $0x8, $1f; 1: nop");
CODE(enter, "leal 4(%esi), %esp; enter $0, $0; nop");
CODE(leave, "movl %esi, %ebp; leave; nop");
CODE(movs_from, "leal 8(%esi), %edi; movsb; nop");
CODE(movs_to, "leal 8(%esi), %esi; movsb; nop");
CODE(movs_both, "movsl; nop");
CODE(rep_movs, "leal -4(%edi), %edi; leal 8(%esi), %esi; movl $8, %ecx; rep movsb; nop");
CODE(stos, "stosl; nop");
CODE(lods, "lodsl; nop");
CODE(scas, "scasb; nop");
CODE(cmps, "leal 8(%esi), %edi; cmpsb; nop");
CODE(xlat, "movl %esi, %ebx; xorl %eax, %eax; xlatb; nop");
CODE(lea, "leal (%esi), %eax; nop");
CODE(fload, "flds (%esi); nop");
CODE(fstore, "fldz; fstpl (%esi); nop");
CODE(fsave, "fnsave -100(%esi); nop");
CODE(mmx, "movq %mm0, (%esi); emms; nop");
CODE(sse, "movups %xmm0, -8(%esi); nop");
CODE(sgdt, "sgdt (%esi); nop");
CODE(bound, "boundl %ecx, (%esi); nop");
CODE(les, "lesl -2(%esi), %edx; nop");
CODE(outs, "movl $0x80, %edx; outsb; nop");
CODE(ins, "movl $0x80, %edx; insb; nop");
CODE(sixteen, "addr16 movb (0x7000), %al; nop");

enum { WRITE = 1, ACCESS = 3 };

static uint32_t esi = ARENA;

static void watch(uint32_t address, uint32_t condition, uint32_t length) {
    write_dr7(0);
    write_dr6(0);
    write_dr0(address);
    write_dr7(2 | condition << 16 | (length - 1) << 18);
}

static void attempt(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

    in.esi = in.edi = esi;
    run(&in);
    printf("ring%d %s: ", ring, name);
    if (trap.vector == VECTOR_END)
        printf("end");
    else
        printf("%s eip+%u", vector_name(trap.vector), trap.regs.eip - in.eip);
    printf(" %04x\n", read_dr6() & 0xE00F);
    write_dr6(0);
}

/* With a breakpoint on writes, then one on any access, of the 4 bytes at ARENA, which hold value.
 */
static void kinds_of(const char *name, const uint8_t *code, int ring, uint32_t value) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    uint32_t eip[2], dr6[2];

    in.esi = in.edi = esi;
    in.ecx = 0;
    for (int i = 0; i < 2; i++) {
        write_dr7(0);
        for (int k = -16; k < 16; k++)
            ((volatile uint32_t *)ARENA)[k] = 0;
        *(volatile uint32_t *)ARENA = value;
        watch(ARENA, i ? ACCESS : WRITE, 4);
        run(&in);
        eip[i] = trap.vector == VECTOR_END ? 0 : trap.regs.eip - in.eip;
        dr6[i] = read_dr6() & 0xE00F;
    }
    printf("ring%d %s: write %u/%x access %u/%x\n", ring, name, eip[0], dr6[0], eip[1], dr6[1]);
}

static void kinds(const char *name, const uint8_t *code, int ring) {
    kinds_of(name, code, ring, 0);
}

#define KINDS(code)                                                                                \
    kinds(#code, code, 0);                                                                         \
    kinds(#code, code, 3)

static void lengths(void) {
    static const struct {
        uint8_t at, length;
    } set[] = {{0, 1}, {1, 1}, {0, 2}, {1, 2}, {2, 2}, {0, 4}, {1, 4}, {3, 4}, {4, 4}};

    for (uint32_t i = 0; i < sizeof set / sizeof set[0]; i++) {
        printf("at %u length %u: hit by", set[i].at, set[i].length);
        for (uint32_t at = 0; at < 9; at++) {
            const uint8_t *const code[] = {load1, load2, load4};

            for (uint32_t k = 0; k < 3; k++) {
                struct regs in = regs_ring3(code[k]);

                in.esi = ARENA - 2 + at;
                watch(ARENA + set[i].at, ACCESS, set[i].length);
                run(&in);
                if (trap.vector == 1)
                    printf(" %d+%u", (int)at - 2, 1u << k);
            }
        }
        printf("\n");
    }
}

void guest_main(void) {
    write_cr4(0x200); /* OSFXSR */
    write_cr0(read_cr0() & ~0xCu);
    lengths();
    KINDS(load4);
    KINDS(store4);
    KINDS(add);
    KINDS(compare);
    KINDS(exchange);
    KINDS(cmpxchg);
    KINDS(cmpxchg8b);
    KINDS(cmov);
    KINDS(setcc);
    KINDS(bit);
    KINDS(bit_set);
    KINDS(push);
    KINDS(push_mem);
    kinds("pop", pop, 3);
    KINDS(pop_mem);
    KINDS(pushf);
    KINDS(push_seg);
    kinds_of("pop_seg", pop_seg, 3, SEL_DATA3);
    KINDS(pusha);
    kinds("popa", popa, 3);
    KINDS(call);
    kinds_of("call_mem", call_mem, 0, (uint32_t)call_mem + 2);
    kinds_of("call_mem", call_mem, 3, (uint32_t)call_mem + 2);
    kinds_of("ret", ret, 3, (uint32_t)ret + 3);
    kinds("far_call", far_call, 0);
    KINDS(enter);
    kinds("leave", leave, 3);
    KINDS(movs_from);
    KINDS(movs_to);
    KINDS(movs_both);
    KINDS(rep_movs);
    KINDS(stos);
    KINDS(lods);
    KINDS(scas);
    KINDS(cmps);
    KINDS(xlat);
    KINDS(lea);
    KINDS(fload);
    KINDS(fstore);
    KINDS(fsave);
    KINDS(mmx);
    KINDS(sse);
    KINDS(sgdt);
    KINDS(bound);
    kinds_of("les", les, 0, SEL_DATA0 << 16);
    kinds_of("les", les, 3, SEL_DATA3 << 16);
    kinds("outs", outs, 0);
    kinds("ins", ins, 0);
    write_dr7(0);
    watch(0x7000, ACCESS, 1);
    attempt("16-bit address", sixteen, 0);

    /* One operand on two pages. */
    esi = ARENA + 0xFFE;
    watch(ARENA + 0x1000, ACCESS, 1);
    attempt("second page read", load4, 3);
    attempt("second page written", store4, 3);
    watch(ARENA + 0xFFF, WRITE, 1);
    attempt("first page read", load4, 3);
    attempt("first page written", store4, 3);
    esi = ARENA;

    /* Bits of DR6 stay until software clears them. */
    watch(ARENA, WRITE, 1);
    write_dr1(ARENA + 2);
    write_dr7(0xA | WRITE << 16 | WRITE << 20);
    struct regs in = regs_ring3(two_stores);
    in.esi = ARENA;
    run(&in);
    printf("sticky: eip+%u dr6 %08x", trap.regs.eip - in.eip, read_dr6());
    in.eip = trap.regs.eip;
    run(&in);
    printf(", eip+%u dr6 %08x\n", trap.regs.eip - (uint32_t)two_stores, read_dr6());
    write_dr6(0);

    /* Two of them met by one instruction; a third is not enabled. */
    write_dr1(ARENA + 3);
    write_dr2(ARENA + 1);
    write_dr7(0xA | WRITE << 16 | ACCESS << 20 | ACCESS << 24);
    attempt("two at once", store4, 0);
    attempt("two at once", store4, 3);
    attempt("one of two", store1, 3);
    attempt("one of two, read", load4, 3);

    /* A fetch is no access, with the code on the page of the data. */
    watch((uint32_t)load1 + 2, ACCESS, 1);
    attempt("fetch", load1, 0);
    attempt("fetch", load1, 3);
    write_dr7(0);
    attempt("disabled", store4, 3);
}
