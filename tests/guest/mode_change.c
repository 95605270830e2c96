/* Changes of mode: what the hidden parts of the segment registers keep from one mode to the next
 * ("unreal" mode: 4 GiB limits in real-address mode; 32-bit code and stack there), protected mode
 * before the first segment load, the way back by INIT-like jumps, LMSW, paging with PE in one MOV
 * (SDM vol 3A, 3.4.3, 9.9.1, 9.9.2). */
#include "guest.h"
#include "real.h"

/* 4 GiB limits. */
CODE16(big_read, "movl $0x00800000, %esi; movl (%esi), %eax; movw %fs:4(%esi), %cx");
CODE16(big_write, "movl $0x00800010, %edi; movl %eax, (%edi); movl (%edi), %ebx");
CODE16(big_string, "movl $0x00800000, %esi; movl $0x00800020, %edi; movl $4, %ecx; "
                   "addr32 rep movsl; movl -16(%edi), %eax");
CODE16(big_address16, "movw $0xffff, %si; movw (%si), %ax; xorw %ax, %ax");
CODE16(big_kept, "movw $0x1000, %ax; movw %ax, %ds; movl $0x007f0000, %esi; movl (%esi), %eax");
CODE16(big_stack, "movl $0x00800100, %ebp; movl $0x12345678, (%ebp); movl (%ebp), %eax");
CODE16(big_int, "movl $0x00800000, %esi; int $0x30");
/* Without. */
CODE16(small_read, "movl $0x00800000, %esi; movl (%esi), %eax");
/* Into protected mode and back without loading a segment register: real-mode segments stay. */
CODE16(pe_only, "movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; movw %es:0x10, %cx; "
                "movw %cs, %dx; pushw %dx; popw %bx; andb $0xfe, %al; movl %eax, %cr0; "
                "xorl %eax, %eax");
CODE16(lmsw_pe, "smsw %ax; orw $1, %ax; lmsw %ax; smsw %bx; andw $1, %bx; andw $0xfffe, %ax; "
                "lmsw %ax; smsw %cx; andw $1, %cx; movl %cr0, %eax; andb $0xfe, %al; "
                "movl %eax, %cr0; xorl %eax, %eax");
/* PE alone makes CPL 0 of any CS; its first segment load uses the GDT. */
CODE16(pe_load, "lgdtl %cs:0x80; movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; movw $0x10, %dx; "
                "movw %dx, %es; andb $0xfe, %al; movl %eax, %cr0; movl $0x00800000, %esi; "
                "movl %es:(%esi), %ecx; movw %es, %dx; xorl %eax, %eax");
/* A limit loaded in protected mode goes on in real mode: 0FFFh. */
CODE16(pe_limit, "lgdtl %cs:0x80; movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; movw $0x48, %dx; "
                 "movw %dx, %gs; andb $0xfe, %al; movl %eax, %cr0; xorl %eax, %eax; "
                 "movw %gs:0xffe, %cx; movw $0x6000, %dx; movw %dx, %gs; movw %gs:0xfff, %cx");
/* The same for a stack of 32 bits: PUSH uses ESP. */
CODE16(pe_stack32,
       "lgdtl %cs:0x80; movl %esp, %ebx; movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; "
       "movw $0x10, %dx; movw %dx, %ss; movl $0x00800200, %esp; andb $0xfe, %al; "
       "movl %eax, %cr0; pushl $0x13572468; movl %esp, %ecx; popl %edi; movl %ebx, %esp; "
       "movw $0x5000, %dx; movw %dx, %ss; xorl %eax, %eax");
/* 32-bit code in real mode: D of the hidden part of CS, which a far jump there leaves alone. */
CODE16(pe_code32, "lgdtl %cs:0x80; movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; "
                  "ljmpl $0x50, $(1f - pe_code32); 1: .code32; movl %cr0, %eax; andb $0xfe, %al; "
                  "movl %eax, %cr0; movl $0x12345678, %ecx; ljmpl $0x4000, $(2f - pe_code32); "
                  "2: leal 1(%ecx), %edx; orb $1, %al; movl %eax, %cr0; "
                  "ljmpl $0x58, $(3f - pe_code32); 3: .code16; andb $0xfe, %al; "
                  "movl %eax, %cr0; ljmpw $0x4000, $(4f - pe_code32); 4: movw %cs, %bx; "
                  "xorl %eax, %eax");

static void place_gdtr(void) {
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) p = {sizeof gdt - 1, (uint32_t)gdt};
    for (unsigned i = 0; i < sizeof p; i++)
        *(volatile uint8_t *)(REAL_CODE + 0x80 + i) = ((const uint8_t *)&p)[i];
}

static void try_big(const char *label, const uint8_t *code, uint32_t bytes, uint32_t hidden) {
    struct real in = real_code(code, bytes, 0);
    place_gdtr();
    in.hidden = hidden;
    in.ds = in.es = in.fs = in.gs = in.ss = 0;
    real_try(label, &in);
}

#define BIG(name)   try_big(#name, name, CODE16_SIZE(name), 1)
#define SMALL(name) try_big(#name, name, CODE16_SIZE(name), 0)
#define CHANGE(name)                                                                               \
    do {                                                                                           \
        struct real real_in = real_code(name, CODE16_SIZE(name), 0);                               \
        place_gdtr();                                                                              \
        real_try(#name, &real_in);                                                                 \
    } while (0)

void guest_main(void) {
    for (uint32_t i = 0; i < 16; i++)
        ((volatile uint32_t *)ARENA)[i] = 0xA0000000 + i;
    gdt_set(SEL_FREE, descriptor(REAL_DATA, 0xFFF, ACCESS_P | ACCESS_DATA_RW, 0));
    gdt_set(SEL_FREE + 8, descriptor(REAL_CODE, 0xFFFF, ACCESS_P | ACCESS_CODE_R, FLAG_SEG_B));
    gdt_set(SEL_FREE + 16, descriptor(REAL_CODE, 0xFFFF, ACCESS_P | ACCESS_CODE_R, 0));
    SMALL(small_read);
    BIG(big_read);
    BIG(big_write);
    BIG(big_string);
    BIG(big_address16);
    BIG(big_kept);
    BIG(big_stack);
    BIG(big_int);
    CHANGE(pe_only);
    CHANGE(lmsw_pe);
    CHANGE(pe_load);
    CHANGE(pe_limit);
    CHANGE(pe_stack32);
    CHANGE(pe_code32);

    /* PE and PG in one MOV, and both cleared in one; the code is mapped one to one. */
    paging_init();
    uint32_t on = read_cr0();
    write_cr0(on & ~CR0_PG);
    printf("PG off: %d\n", !!(read_cr0() & CR0_PG));
    write_cr0(on);
    printf("PG on: %d, arena %08x\n", !!(read_cr0() & CR0_PG), *(volatile uint32_t *)ARENA);
    paging_off();
    SMALL(small_read);
    BIG(big_read);
}
