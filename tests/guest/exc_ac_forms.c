/* #AC by the kind of access: x87, MMX and SSE operands, strings, stack, tables and pointers, each
 * at every offset from its natural boundary; #AC against #PF, limits and CPL; what is exempt (SDM
 * vol 3A, 6.15, vector 17, table 6-7). */
#include "guest.h"

/* EAX holds the address at the start, also in ESI, EDI and EBP. */
CODE(word, "movw (%esi), %cx");
CODE(dword, "movl (%esi), %ecx");
CODE(rmw, "lock; xaddl %ecx, (%esi)");
CODE(cx8, "xorl %eax, %eax; xorl %edx, %edx; cmpxchg8b (%esi)");
CODE(flds, "fninit; flds (%esi); fstp %st(0)");
CODE(fldl, "fninit; fldl (%esi); fstp %st(0)");
CODE(fldt, "fninit; fldt (%esi); fstp %st(0)");
CODE(fild16, "fninit; filds (%esi); fstp %st(0)");
CODE(fild64, "fninit; fildll (%esi); fstp %st(0)");
CODE(fstpl, "fninit; fldz; fstpl (%esi)");
CODE(fbstp, "fninit; fldz; fbstp (%esi)");
CODE(fldcw, "fninit; fldcw (%esi)");
CODE(fnstcw, "fnstcw (%esi)");
CODE(fnstenv, "fninit; fnstenv (%esi)");
CODE(fnsave, "fninit; fnsave (%esi)");
CODE(movq_mmx, "movq (%esi), %mm0; emms");
CODE(movd_mmx, "movd (%esi), %mm0; emms");
CODE(movss, "movss (%esi), %xmm0");
CODE(movsd_sse, "movsd (%esi), %xmm0");
CODE(movups, "movups (%esi), %xmm0");
CODE(movhps, "movhps (%esi), %xmm0");
CODE(ldmxcsr, "movl $0x1f80, (%edx); ldmxcsr (%edx)");
CODE(movaps, "movaps (%esi), %xmm0");
CODE(fxsave, "fxsave (%esi)");
CODE(lodsw, "lodsw; movl $0x11111111, %eax");
CODE(movsl_to, "movl %ebx, %esi; movsl");
CODE(rep_stosl, "movl $2, %ecx; rep stosl");
CODE(cmpsl, "movl %ebx, %edi; cmpsl; movl $0, %ecx");
CODE(push, "movl %esi, %esp; pushl %ecx");
CODE(push16, "movl %esi, %esp; pushw %cx");
CODE(pusha, "movl %esi, %esp; pushal");
CODE(pop, "movl %esi, %esp; popl %ecx");
CODE(popa, "movl %esi, %esp; popal");
CODE(call_near, "movl %esi, %esp; call 1f; 1:");
CODE(ret_near, "movl $1f, (%edx); movl %edx, %esp; ret; 1:");
CODE(enter, "movl %esi, %esp; enter $8, $0");
CODE(leave, "movl %esi, %ebp; leave");
CODE(pushf, "movl %esi, %esp; pushfl");
CODE(bound, "movl $0, (%edx); movl $9, 4(%edx); movl $1, %ecx; bound %ecx, (%edx)");
CODE(lds_pointer, "movl $0, (%edx); movl $0x23, 4(%edx); lesl (%edx), %ecx");
CODE(sgdt, "sgdt (%esi)");
CODE(sidt, "sidt (%esi)");
CODE(xlat, "movl %esi, %ebx; movl $0, %eax; xlatb; movl $0x11111111, %eax");
CODE(bt_mem, "movl $0, %ecx; btl %ecx, (%esi)");
CODE(cmov, "cmovel (%esi), %ecx");
CODE(movzx, "movzwl (%esi), %ecx");
CODE(jmp_mem, "movl $1f, (%edx); jmp *(%edx); 1:");
CODE(far_mem, "movl $1f, (%edx); movw %cs, %cx; movw %cx, 4(%edx); ljmp *(%edx); 1:");
CODE(str_mem, "str (%esi)");
CODE(smsw_mem, "smsw (%esi)");
CODE(lddqu, "movdqu (%esi), %xmm0");
CODE(maskmov, "pxor %mm0, %mm0; maskmovq %mm0, %mm0; emms");

CODE(fldenv, "fldenv (%esi); fninit");
CODE(frstor, "frstor (%esi); fninit");
CODE(fnstenv16, "data16 fnstenv (%esi)");
CODE(push_sreg, "movl %esi, %esp; pushl %ds");
CODE(pop_sreg, "movl %esi, %esp; popl %gs");
CODE(far_call, "movw %cs, %cx; movw %cx, 1f + 5; movl %esi, %esp; 1: lcall $0, $2f; 2:");
CODE(far_ret_bad, "movl %esi, %esp; lret");
CODE(iret_bad, "movl %esi, %esp; iretl");
CODE(les16, "lesw (%esi), %cx; movl $0x23, %ecx; movl %ecx, %es");
CODE(bound16, "movl $0x00090000, (%ebx); movl $1, %ecx; boundw %cx, (%esi)");
CODE(cvtpi2ps, "cvtpi2ps (%esi), %xmm0; emms");
CODE(punpcklbw, "punpcklbw (%esi), %mm0; emms");
CODE(movsreg, "movw %ds, (%esi)");
CODE(stmxcsr, "stmxcsr (%esi)");

#define ROW(code)                                                                                  \
    { #code, code }
static const struct {
    const char *name;
    const uint8_t *code;
} rows[] = {
    ROW(word),      ROW(dword),     ROW(rmw),      ROW(cx8),         ROW(flds),
    ROW(fldl),      ROW(fldt),      ROW(fild16),   ROW(fild64),      ROW(fstpl),
    ROW(fbstp),     ROW(fldcw),     ROW(fnstcw),   ROW(fnstenv),     ROW(fnsave),
    ROW(movq_mmx),  ROW(movd_mmx),  ROW(movss),    ROW(movsd_sse),   ROW(movups),
    ROW(movhps),    ROW(ldmxcsr),   ROW(movaps),   ROW(fxsave),      ROW(lodsw),
    ROW(movsl_to),  ROW(rep_stosl), ROW(cmpsl),    ROW(push),        ROW(push16),
    ROW(pusha),     ROW(pop),       ROW(popa),     ROW(call_near),   ROW(ret_near),
    ROW(enter),     ROW(leave),     ROW(pushf),    ROW(bound),       ROW(lds_pointer),
    ROW(sgdt),      ROW(sidt),      ROW(xlat),     ROW(bt_mem),      ROW(cmov),
    ROW(movzx),     ROW(jmp_mem),   ROW(far_mem),  ROW(str_mem),     ROW(smsw_mem),
    ROW(lddqu),     ROW(maskmov),   ROW(fldenv),   ROW(frstor),      ROW(fnstenv16),
    ROW(push_sreg), ROW(pop_sreg),  ROW(far_call), ROW(far_ret_bad), ROW(iret_bad),
    ROW(les16),     ROW(bound16),   ROW(cvtpi2ps), ROW(punpcklbw),   ROW(movsreg),
    ROW(stmxcsr),
};

static void prepare(uint32_t at) {
    for (uint32_t i = 0; i < 256; i++)
        ((volatile uint8_t *)ARENA)[i] = 0;
    /* a word for FLDCW, wherever it is read */
    *(volatile uint16_t *)(ARENA + 64 + at) = 0x037F;
}

/* EDX holds the address too, but is written through by the snippet with AC clear in effect: writing
 * misaligned faults first, which is as good. */
static char try_at(const uint8_t *code, uint32_t offset, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    prepare(offset);
    in.eflags |= FLAG_AC;
    in.esi = in.edi = in.edx = ARENA + 64 + offset;
    in.ebx = ARENA + 1024;
    run(&in);
    if (trap.vector == VECTOR_END)
        return '.';
    return trap.vector == 17 && trap.error == 0 ? 'A'
           : trap.vector == 13                  ? 'G'
           : trap.vector == 5                   ? 'B'
                                                : '?';
}

void guest_main(void) {
    write_cr0(CR0_PE | CR0_ET | CR0_NE | CR0_MP | CR0_AM);
    write_cr4(CR4_OSFXSR | CR4_OSXMMEXCPT);
    paging_init();
    write_cr0(read_cr0() | CR0_AM | CR0_NE | CR0_MP);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("%s:", rows[i].name);
        for (int ring = 3; ring >= 0; ring -= 3) {
            printf(" ring%d ", ring);
            for (uint32_t offset = 0; offset < 17; offset++)
                serial_putc(try_at(rows[i].code, offset, ring));
        }
        printf("\n");
    }
    /* #AC comes behind the limit, before or behind the page fault by the access: a misaligned one
     * on an absent page, one that straddles into it. */
    paging_set(ARENA + 0x1000, 0);
    for (uint32_t at = ARENA + 0xFFD; at < ARENA + 0x1004; at++) {
        struct regs in = regs_ring3(dword);
        in.eflags |= FLAG_AC;
        in.esi = at;
        run(&in);
        printf("at %x: %s\n", at - ARENA,
               trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
    }
    gdt_set(SEL_FREE,
            descriptor(ARENA, 0xFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_B));
    struct regs in = regs_ring3(dword);
    in.eflags |= FLAG_AC;
    in.ds = SEL_FREE | 3;
    in.esi = 0xFFD;
    run(&in);
    printf("beyond the limit: %s\n", vector_name(trap.vector));
    in.esi = 0xFFA;
    run(&in);
    printf("within: %s\n", vector_name(trap.vector));
    gdt_set(SEL_FREE,
            descriptor(ARENA + 1, 0xFFF, ACCESS_P | ACCESS_DPL3 | ACCESS_DATA_RW, FLAG_SEG_B));
    in.esi = 0xFF;
    run(&in);
    printf("linear address counts: %s",
           trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
    in.esi = 0x100;
    run(&in);
    printf(" %s\n", trap.vector == VECTOR_END ? "end" : vector_name(trap.vector));
}
