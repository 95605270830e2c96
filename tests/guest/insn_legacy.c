/* Instructions 64-bit mode no longer has, and others a translator must open-code: BCD, PUSHA,
 * BOUND, XLAT, SALC, ENTER and LEAVE, LOOP and JCXZ, CMPXCHG8B, XADD, bit strings, double shifts
 * (SDM vol 2). Only defined flags are printed. */
#include "guest.h"

CODE(daa_insn, "daa");
CODE(das_insn, "das");
CODE(aaa_insn, "aaa");
CODE(aas_insn, "aas");
CODE(aam_insn, "aam");
CODE(aam7, "aam $7");
CODE(aad_insn, "aad");
CODE(aad16, "aad $16");
CODE(salc_insn, ".byte 0xd6");
CODE(xlat_insn, "xlatb");
CODE(pusha_popa, "pushal; movl 12(%esp), %eax; subl $1, (%esp); popal");
CODE(pusha16, "pushaw; popl %eax; popl %ecx; popl %edx; popl %ebx");
CODE(popa_skips_esp,
     "pushl $8; pushl $7; pushl $6; pushl $5; pushl $4; pushl $3; pushl $2; pushl $1; popal");
CODE(enter_0, "enter $16, $0; movl %esp, %eax; movl %ebp, %ecx; leave");
CODE(enter_1, "enter $16, $1; movl (%ebp), %eax; movl -4(%ebp), %ecx; movl %esp, %edx; leave");
CODE(enter_3, "enter $32, $0; enter $32, $1; enter $32, $2; enter $8, $3; movl -4(%ebp), %eax; "
              "movl -8(%ebp), %ecx;"
              "movl -12(%ebp), %edx; leave; leave; leave; leave");
CODE(enter_31, "enter $8, $31; movl %esp, %eax");
CODE(loop_5, "movl $5, %ecx; xorl %eax, %eax; 1: incl %eax; loop 1b");
CODE(loope_insn, "movl $5, %ecx; xorl %eax, %eax; 1: incl %eax; cmpl $3, %eax; loopne 1b");
CODE(loop_zero, "movl $1, %ecx; loop 1f; incl %eax; 1: nop");
CODE(loop16, "movl $0x10001, %ecx; addr16 loop 1f; incl %eax; 1: nop");
CODE(jcxz_insn, "movl $0x10000, %ecx; jecxz 1f; incl %eax; 1: jcxz 2f; incl %eax; 2: nop");
CODE(cx8_equal, "movl (%esi), %eax; movl 4(%esi), %edx; cmpxchg8b (%esi)");
CODE(cx8_differ, "cmpxchg8b (%esi)");
CODE(xadd_reg, "xaddl %eax, %ecx");
CODE(xadd_memory, "lock xaddl %eax, (%esi)");
CODE(xadd8, "xaddb %al, %ah");
CODE(bt_beyond, "movl $100, %eax; btl %eax, (%esi)");
CODE(bt_negative, "movl $-5, %eax; btl %eax, (%esi)");
CODE(bts_beyond, "movl $69, %eax; lock btsl %eax, (%esi)");
CODE(btr_negative, "movl $-1, %eax; btrl %eax, (%esi)");
CODE(btc_16, "movl $0x10013, %eax; btcw %ax, (%esi)");
CODE(bt_imm, "btl $37, (%esi)");
CODE(shld_insn, "shldl $12, %ecx, %eax");
CODE(shrd_cl, "movb $40, %cl; shrdl %cl, %edx, %eax");
CODE(shld16, "shldw $4, %cx, %ax");
CODE(shld_zero, "movb $32, %cl; shldl %cl, %edx, %eax");
CODE(bsf_zero, "xorl %eax, %eax; bsfl %eax, %ecx");
CODE(bswap_insn, "bswapl %eax");
CODE(rcl_9, "stc; rclb $9, %al");
CODE(push_esp, "pushl %esp; popl %eax; pushl %esp; movl (%esp), %ecx; popl %edx");
CODE(pop_esp, "pushl $0x500100; popl %esp; movl %esp, %eax");
CODE(pop_memory_esp, "pushl $0x1234; pushl $0x5678; popl (%esp); popl %eax");
CODE(xchg_esp, "movl %esp, %ecx; xchgl %esp, %eax; xchgl %esp, %eax; subl %esp, %ecx");

static void attempt(const char *name, const uint8_t *code, uint32_t eax, uint32_t flags,
                    uint32_t defined) {
    struct regs in = regs_ring3(code);
    volatile uint32_t *m = (volatile uint32_t *)(ARENA + 0x100);
    for (int i = -4; i < 8; i++)
        m[i] = 0x0F0F0000 + (uint32_t)i;
    in.eax = eax;
    in.esi = (uint32_t)m;
    in.ebp = STACK_RING3 - 256;
    in.eflags |= flags;
    report_flags = defined;
    if (code == xlat_insn)
        in.ebx = (uint32_t)m - 16;
    run(&in);
    report(name, &in);
    for (int i = -4; i < 8; i++)
        if (m[i] != 0x0F0F0000 + (uint32_t)i)
            printf("  m[%d] %08x\n", i, m[i]);
}

#define ATTEMPT(code, eax, flags, defined) attempt(#code, code, eax, flags, defined)

void guest_main(void) {
    enum { SZP = FLAG_SF | FLAG_ZF | FLAG_PF, AC = FLAG_AF | FLAG_CF };
    static const uint8_t values[] = {0x00, 0x09, 0x0A, 0x15, 0x66, 0x99, 0x9A, 0xA0, 0xFF};
    for (uint32_t i = 0; i < sizeof values; i++) {
        for (uint32_t f = 0; f < 4; f++) {
            uint32_t flags = (f & 1 ? FLAG_CF : 0) | (f & 2 ? FLAG_AF : 0);
            uint32_t eax = 0x55660300 | values[i];
            printf("%02x %u ", values[i], f);
            ATTEMPT(daa_insn, eax, flags, SZP | AC);
            ATTEMPT(das_insn, eax, flags, SZP | AC);
            ATTEMPT(aaa_insn, eax, flags, AC);
            ATTEMPT(aas_insn, eax, flags, AC);
        }
        ATTEMPT(aam_insn, 0x300u | values[i], 0, SZP);
        ATTEMPT(aam7, 0x300u | values[i], 0, SZP);
        ATTEMPT(aad_insn, 0x300u | values[i], 0, SZP);
        ATTEMPT(aad16, 0x900u | values[i], 0, SZP);
    }
    ATTEMPT(salc_insn, 0x11111111, FLAG_CF, FLAG_CF);
    ATTEMPT(salc_insn, 0x11111111, 0, FLAG_CF);
    ATTEMPT(xlat_insn, 5, 0, 0);
    ATTEMPT(xlat_insn, 0x1203, 0, 0);
    ATTEMPT(pusha_popa, 1, 0, 0);
    ATTEMPT(pusha16, 1, 0, 0);
    ATTEMPT(popa_skips_esp, 1, 0, 0);
    ATTEMPT(enter_0, 1, 0, 0);
    ATTEMPT(enter_1, 1, 0, 0);
    ATTEMPT(enter_3, 1, 0, 0);
    ATTEMPT(enter_31, 1, 0, 0);
    ATTEMPT(loop_5, 1, 0, 0);
    ATTEMPT(loope_insn, 1, 0, 0);
    ATTEMPT(loop_zero, 1, FLAG_CF | FLAG_ZF, 0);
    ATTEMPT(loop16, 1, 0, 0);
    ATTEMPT(jcxz_insn, 1, 0, 0);
    ATTEMPT(cx8_equal, 1, FLAGS_STATUS & ~FLAG_ZF, FLAGS_STATUS);
    ATTEMPT(cx8_differ, 1, FLAGS_STATUS, FLAGS_STATUS);
    ATTEMPT(xadd_reg, 0xF0000000, 0, FLAGS_STATUS);
    ATTEMPT(xadd_memory, 0xF0F10000, 0, FLAGS_STATUS);
    ATTEMPT(xadd8, 0x80FF, 0, FLAGS_STATUS);
    ATTEMPT(bt_beyond, 1, 0, FLAG_CF);
    ATTEMPT(bt_negative, 1, 0, FLAG_CF);
    ATTEMPT(bts_beyond, 1, 0, FLAG_CF);
    ATTEMPT(btr_negative, 1, 0, FLAG_CF);
    ATTEMPT(btc_16, 1, 0, FLAG_CF);
    ATTEMPT(bt_imm, 1, 0, FLAG_CF);
    ATTEMPT(shld_insn, 0x12345678, 0, SZP | FLAG_CF);
    ATTEMPT(shrd_cl, 0x12345678, 0, SZP | FLAG_CF);
    ATTEMPT(shld16, 0x12345678, 0, SZP | FLAG_CF);
    ATTEMPT(shld_zero, 0x12345678, FLAGS_STATUS, FLAGS_STATUS);
    ATTEMPT(bsf_zero, 0, 0, FLAG_ZF);
    ATTEMPT(bswap_insn, 0x12345678, 0, 0);
    ATTEMPT(rcl_9, 0x81, 0, FLAG_CF);
    ATTEMPT(push_esp, 1, 0, 0);
    ATTEMPT(pop_esp, 1, 0, 0);
    ATTEMPT(pop_memory_esp, 1, 0, 0);
    ATTEMPT(xchg_esp, STACK_RING3 - 64, 0, 0);
}
