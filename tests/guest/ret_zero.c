/* RET to address 0, with nothing called before, again and again: an address as good as any other
 * (SDM vol 2B, RET). */
#include "guest.h"

CODE(ret_to_0, "pushl $0; ret");
CODE(ret_n_to_0, "pushl $0; ret $8");
CODE(calls_first, "call 1f; jmp 2f; 1: call 1f; 1: popl %eax; ret; 2: pushl $0; ret");

void guest_main(void) {
    static const uint8_t at_0[] = {0x43, 0xCD, VECTOR_END}; /* INC EBX; INT 0xF0 */
    for (uint32_t i = 0; i < sizeof at_0; i++)
        ((volatile uint8_t *)ARENA)[i] = at_0[i];
    paging_init();
    paging_set(0, ARENA | PTE_ALL);
    for (int i = 0; i < 3; i++) {
        RING0(ret_to_0);
        RING3(ret_to_0);
        RING3(ret_n_to_0);
        RING3(calls_first);
    }
}
