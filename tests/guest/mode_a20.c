/* The A20 gate, by port 92h and by the keyboard controller: what aliases while it is closed, for
 * data, code and page tables, and that nothing does when it is open again (PS/2 technical
 * reference, port 92h; SDM vol 3A, 8.7.13.4; vol 3B, 20.1.1). All of it runs below 1 MiB, in
 * real-address mode with 4 GiB limits: with the gate closed there is no odd megabyte to run in. */
#include "guest.h"
#include "real.h"

enum { EVEN = 0x01060000, ODD = EVEN + 0x100000, CODE_BELOW = 0x7000, DIRECTORY = PAGE_TABLES };

#define TEXT_EVEN "0x01060000"
#define TEXT_ODD  "0x01160000"

#define CLOSE "inb $0x92, %al; andb $0xfc, %al; outb %al, $0x92; inb $0x92, %al; "
#define OPEN  "inb $0x92, %al; andb $0xfe, %al; orb $2, %al; outb %al, $0x92; "
#define IDLE  "90: inb $0x64, %al; testb $2, %al; jnz 90b; "
#define CLOSE_8042                                                                                 \
    IDLE "movb $0xd1, %al; outb %al, $0x64; " IDLE "movb $0xdd, %al; outb %al, $0x60; " IDLE
#define OPEN_8042                                                                                  \
    IDLE "movb $0xd1, %al; outb %al, $0x64; " IDLE "movb $0xdf, %al; outb %al, $0x60; " IDLE

/* EBX and ECX: even and odd megabyte before; EDX and ESI: while closed; then a write to the odd
 * one. */
#define ACCESSES(close, open)                                                                      \
    "movl $" TEXT_EVEN ", %ebp; movl $" TEXT_ODD ", %edi; movl (%edi), %ecx; movl %ds:(%ebp), "    \
    "%ebx; " close "movl %ds:(%ebp), %edx; movl (%edi), %esi; movl $0x5a5a5a5a, 4(%edi); " open    \
    "movl 4(%edi), %eax; movl %eax, %fs:0x8100; movl %ds:4(%ebp), %eax; movl %eax, "               \
    "%fs:0x8104; xorl %eax, %eax"

CODE16(by_92, ACCESSES(CLOSE, OPEN));
CODE16(by_8042, ACCESSES(CLOSE_8042, OPEN_8042));
/* One sees what the other did. */
CODE16(mixed, CLOSE_8042 "inb $0x92, %al; movb %al, %bl; " OPEN "inb $0x92, %al; movb %al, %bh; "
                         "andl $0x0202, %ebx; xorl %eax, %eax");
/* FFFF:7010 is 107000h, or 7000h. */
CODE16(high_segment, "movw $0xffff, %ax; movw %ax, %es; movl %es:0x7010, %ebx; " CLOSE
                     "movl %es:0x7010, %ecx; " OPEN "movl %es:0x7010, %edx; xorl %eax, %eax");
CODE16(high_code, "lcallw $0xffff, $0x7010; movw %bx, %cx; " CLOSE "lcallw $0xffff, $0x7010; "
                  "movw %bx, %dx; " OPEN "lcallw $0xffff, $0x7010; xorl %eax, %eax");
CODE16(string, "movl $" TEXT_ODD ", %esi; movl %esi, %edi; addl $32, %edi; movl $4, %ecx; " CLOSE
               "addr32 rep movsl; " OPEN "movl $" TEXT_EVEN ", %ebp; movl %ds:32(%ebp), %ebx; "
               "movl 16(%esi), %edx; xorl %eax, %eax");
CODE16(often, "movl $" TEXT_ODD ", %edi; movl $500, %ecx; xorl %ebx, %ebx; 1: " CLOSE
              "addl (%edi), %ebx; " OPEN "subl (%edi), %ebx; decl %ecx; jnz 1b; xorl %eax, %eax");
/* Paging on, without a far jump; the PTE names the odd frame, then the directory itself is read at
 * an odd megabyte, which the gate makes the even one. */
#define PAGING_ON                                                                                  \
    "movl $0x00400000, %eax; movl %eax, %cr3; movl %cr0, %eax; "                                   \
    "orl $0x80000001, %eax; movl %eax, %cr0; "
#define PAGING_OFF "movl %cr0, %eax; andl $0x7ffffffe, %eax; movl %eax, %cr0; "
CODE16(paged, "movl $0x02000000, %edi; " PAGING_ON "movl (%edi), %ebx; " CLOSE
              "movl (%edi), %ecx; " OPEN "movl (%edi), %edx; " PAGING_OFF "xorl %eax, %eax");

static volatile uint32_t *at(uint32_t a) {
    return (volatile uint32_t *)a;
}

static void fill(void) {
    for (uint32_t i = 0; i < 64; i += 4) {
        *at(EVEN + i) = 0x30000000 + i;
        *at(ODD + i) = 0x40000000 + i;
    }
    *at(0x8100) = *at(0x8104) = 0;
}

static void try(const char *name, const uint8_t *code, uint32_t bytes) {
    fill();
    struct real in = real_code(code, bytes, 0);
    in.hidden = 1;
    in.ds = in.es = in.fs = in.gs = 0;
    real_try(name, &in);
    printf("  odd %08x even %08x\n", *at(0x8100), *at(0x8104));
}

#define TRY(name) try(#name, name, CODE16_SIZE(name))

/* MOV BX, imm16; RETF, below and above. */
static void place_code(uint32_t where, uint8_t number) {
    static const uint8_t code[] = {0xBB, 0, 0, 0xCB};
    for (unsigned i = 0; i < sizeof code; i++)
        *(volatile uint8_t *)(where + i) = code[i];
    *(volatile uint8_t *)(where + 1) = number;
}

void guest_main(void) {
    uint32_t above = CODE_BELOW + 0x100000, kept[2] = {*at(above), *at(above + 4)};
    TRY(by_92);
    TRY(by_8042);
    TRY(mixed);
    *at(CODE_BELOW) = 0x2A2A2A2A;
    *at(above) = 0x3A3A3A3A;
    TRY(high_segment);
    place_code(CODE_BELOW, 0x11);
    place_code(above, 0x99);
    TRY(high_code);
    *at(above) = kept[0];
    *at(above + 4) = kept[1];
    TRY(string);
    TRY(often);
    paging_init();
    paging_set(0x02000000, ODD | PTE_ALL);
    paging_off();
    TRY(paged);
}
