/* Debug registers: storage, fixed bits of DR6 and DR7, DR4 and DR5 by CR4.DE, general detect (SDM
 * vol 3B, 17.2). */
#include "guest.h"

CODE(move_all, "movl %eax, %dr0; movl %ecx, %dr1; movl %edx, %dr2; movl %ebx, %dr3;"
               "movl %dr0, %edi; movl %dr1, %esi; movl %dr2, %ebp; movl %dr3, %eax");
CODE(dr4, "movl %dr4, %eax");
CODE(dr5, "movl %dr5, %ecx");
CODE(dr4_write, "movl %eax, %dr4");
CODE(detect, "movl $0x2000, %eax; movl %eax, %dr7; movl %dr0, %ecx");
CODE(ring3_read, "movl %dr0, %eax");
CODE(ring3_write, "movl %eax, %dr7");

void guest_main(void) {
    RING0(move_all);
    write_dr0(0);
    write_dr1(0);
    write_dr2(0);
    write_dr3(0);
    printf("dr6 %08x dr7 %08x\n", read_dr6(), read_dr7());
    write_dr6(0);
    printf("dr6 zero: %08x\n", read_dr6());
    write_dr6(0xFFFFFFFF);
    printf("dr6 ones: %08x\n", read_dr6() & 0xFFFEFFFF);
    write_dr6(0);
    write_dr7(0);
    printf("dr7 zero: %08x\n", read_dr7());
    write_dr7(0xFFFF0000);
    printf("dr7 types: %08x\n", read_dr7());
    write_dr7(0);
    RING0(dr4);
    RING0(dr5);
    write_cr4(CR4_DE);
    RING0(dr4);
    RING0(dr5);
    RING0(dr4_write);
    write_cr4(0);
    RING3(ring3_read);
    RING3(ring3_write);
    RING0(detect);
    printf("dr6 %08x dr7 %08x\n", read_dr6(), read_dr7());
    write_dr6(0);
    write_dr7(0);
}
