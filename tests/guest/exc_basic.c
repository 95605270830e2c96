/* The exceptions plain instructions raise: vector, error code, precise EIP, registers untouched.
 * SDM vol 3A 6.15; faults report the faulting instruction, traps (#BP, #OF) the next one. */
#include "guest.h"

CODE(div_zero, "nop; xorl %ebx, %ebx; divl %ebx");
CODE(div_overflow, "movl $1, %ebx; movl $1, %edx; divl %ebx");
CODE(idiv_overflow, "movl $0x80000000, %eax; movl $-1, %edx; movl $-1, %ebx; idivl %ebx");
CODE(div8_overflow, "movw $0x1000, %ax; movb $1, %cl; divb %cl");
CODE(idiv16_overflow, "movw $0x4000, %dx; movw $3, %cx; idivw %cx");
CODE(aam_zero, "nop; aam $0");
CODE(ud2, "nop; nop; ud2");
CODE(lock_reg, ".byte 0xf0, 0x01, 0xc0");
CODE(lock_mov, ".byte 0xf0, 0x89, 0x00");
CODE(lock_cmp, ".byte 0xf0, 0x39, 0x00");
CODE(mov_to_cs, "movl $8, %eax; .byte 0x8e, 0xc8");
CODE(lea_reg, ".byte 0x8d, 0xc0");
CODE(group4_7, ".byte 0xfe, 0xf8");
CODE(group5_7, ".byte 0xff, 0xf8");
CODE(les_reg, ".byte 0xc4, 0xc0");
CODE(bound_reg, ".byte 0x62, 0xc0");
CODE(mov_cr1, ".byte 0x0f, 0x20, 0xc8");
CODE(mov_sreg6, ".byte 0x8e, 0xf0");
CODE(cmpxchg8b_reg, ".byte 0x0f, 0xc7, 0xc8");
CODE(int3, "nop; int3");
CODE(into_set, "movb $0x7f, %al; addb $1, %al; into");
CODE(into_clear, "xorl %eax, %eax; into");
CODE(bound_in, "pushl $9; pushl $5; movl $5, %eax; bound %eax, (%esp); popl %ecx; popl %ecx");
CODE(bound_low, "pushl $9; pushl $5; movl $4, %eax; bound %eax, (%esp)");
CODE(bound_high, "pushl $9; pushl $5; movl $10, %eax; bound %eax, (%esp)");
CODE(bound_negative,
     "pushl $9; pushl $-5; movl $-5, %eax; bound %eax, (%esp); popl %ecx; popl %ecx");
CODE(bound16, "pushl $0x00090005; movw $0xa, %ax; bound %ax, (%esp)");
CODE(long_15, ".byte 0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x90");
CODE(long_16,
     ".byte 0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x3e,0x90");
CODE(flags_kept, "stc; std; movl $0, %ebx; divl %ebx");
CODE(hlt_ring3, "nop; hlt");
CODE(cli_ring3, "cli");
CODE(mov_cr0_ring3, "movl %cr0, %eax");
CODE(lgdt_ring3, "lgdt (%esp)");
CODE(invd_ring3, "invd");
CODE(wbinvd_ring3, "wbinvd");
CODE(invlpg_ring3, "invlpg (%esp)");
CODE(clts_ring3, "clts");
CODE(lmsw_ring3, "lmsw %ax");
CODE(rdmsr_ring3, "rdmsr");
CODE(mov_dr_ring3, "movl %dr7, %eax");
CODE(ltr_ring3, "ltr %ax");
CODE(in_ring3, "movw $0x80, %dx; inb %dx, %al");

static const struct {
    const char *name;
    const uint8_t *code;
} both[] =
    {
        {"div_zero", div_zero},
        {"div_overflow", div_overflow},
        {"idiv_overflow", idiv_overflow},
        {"div8_overflow", div8_overflow},
        {"idiv16_overflow", idiv16_overflow},
        {"aam_zero", aam_zero},
        {"ud2", ud2},
        {"lock_reg", lock_reg},
        {"lock_mov", lock_mov},
        {"lock_cmp", lock_cmp},
        {"mov_to_cs", mov_to_cs},
        {"lea_reg", lea_reg},
        {"group4_7", group4_7},
        {"group5_7", group5_7},
        {"les_reg", les_reg},
        {"bound_reg", bound_reg},
        {"mov_sreg6", mov_sreg6},
        {"cmpxchg8b_reg", cmpxchg8b_reg},
        {"int3", int3},
        {"into_set", into_set},
        {"into_clear", into_clear},
        {"bound_in", bound_in},
        {"bound_low", bound_low},
        {"bound_high", bound_high},
        {"bound_negative", bound_negative},
        {"bound16", bound16},
        {"long_15", long_15},
        {"long_16", long_16},
        {"flags_kept", flags_kept},
},
  user[] = {
      {"hlt", hlt_ring3},       {"cli", cli_ring3},       {"mov_cr0", mov_cr0_ring3},
      {"lgdt", lgdt_ring3},     {"invd", invd_ring3},     {"wbinvd", wbinvd_ring3},
      {"invlpg", invlpg_ring3}, {"clts", clts_ring3},     {"lmsw", lmsw_ring3},
      {"rdmsr", rdmsr_ring3},   {"mov_dr", mov_dr_ring3}, {"ltr", ltr_ring3},
      {"in", in_ring3},
};

void guest_main(void) {
    /* INT3 and INTO are software interrupts: ring 3 needs DPL 3 gates. BOUND is not. */
    idt[3] |= (uint64_t)ACCESS_DPL3 << 40;
    idt[4] |= (uint64_t)ACCESS_DPL3 << 40;
    for (unsigned i = 0; i < sizeof both / sizeof both[0]; i++) {
        printf("ring0 ");
        try_ring0(both[i].name, both[i].code);
        printf("ring3 ");
        try_ring3(both[i].name, both[i].code);
    }
    try_ring0("ring0 mov_cr1", mov_cr1);
    for (unsigned i = 0; i < sizeof user / sizeof user[0]; i++) {
        printf("ring3 ");
        try_ring3(user[i].name, user[i].code);
    }
}
