/* Position-independent user code: a function that only returns its return address is called often
 * enough for a monitor to leave the call out, and then it is another function, elsewhere, gone, or
 * the call's own push faults (SDM vol 1, 6.4.1). */
#include "guest.h"

enum {
    OFTEN = 12000000,
    CALLER = 0x40000000, /* linear */
    THUNK = CALLER + 0x1000,
    STACK = CALLER + 0x2000,
    FRAMES = ARENA_LARGE,
};

/* Copied to its page: only the way to the thunk's page is in the code. */
CODE(caller, "1: .byte 0xe8; .long 0xffb; addl %eax, %edx; addl %ebx, %edx; decl %ecx; jnz 1b");
/* The same with more on the stack. */
CODE(deep_caller, "1: pushl %ecx; pushl %edx; subl $20, %esp; .byte 0xe8; .long 0xff6; movl %eax, "
                  "(%esp); xorl %ebx, (%esp); addl $20, %esp; popl %edx; popl %ecx; addl %eax, "
                  "%edx; addl %ebx, %edx; addl -28(%esp), %edx; decl %ecx; jnz 1b");
CODE(eip_to_eax, "movl (%esp), %eax; ret");
CODE(eip_to_ebx, "movl (%esp), %ebx; ret");
CODE(one_to_eax, "movl $1, %eax; ret");
/* Goes on past the ADD behind the call. */
CODE(past_two_bytes, "movl $2, %eax; addl $2, (%esp); ret");

static uint32_t *table;

static uint8_t *bytes(unsigned n) {
    return (uint8_t *)(FRAMES + n * 4096);
}

static uint32_t frame(unsigned n, const uint8_t *code) {
    for (unsigned k = 0; k < 64; k++)
        bytes(n)[k] = code[k];
    return (uint32_t)bytes(n) | PTE_ALL;
}

static void map(uint32_t gla, uint32_t pte) {
    table[gla >> 12 & 0x3ff] = pte;
    invlpg(gla);
}

static void call(const char *what, uint32_t times, uint32_t esp) {
    struct regs in = regs_ring3((const void *)CALLER);
    const uint32_t *top = (const uint32_t *)(bytes(4) + 0x800 - 4);

    in.eax = in.ebx = in.edx = 0;
    in.ecx = times;
    in.esp = esp;
    run(&in);
    printf("%s: eax %x ebx %x edx %x esp %x, on the stack %x", what, trap.regs.eax, trap.regs.ebx,
           trap.regs.edx, trap.regs.esp, *top);
    if (trap.vector != VECTOR_END)
        printf(" %s(%x) at %x, CR2 %x", vector_name(trap.vector), trap.error, trap.regs.eip,
               trap.cr2);
    printf("\n");
}

/* What a caller sees of all that can become of the function. */
static void attempt(const uint8_t *code) {
    uint32_t eax = frame(1, eip_to_eax), ebx = frame(2, eip_to_ebx), again = frame(3, eip_to_eax);

    map(CALLER, frame(0, code));
    map(THUNK, eax);
    map(STACK, (uint32_t)bytes(4) | PTE_ALL);
    call("often", OFTEN, STACK + 0x800);
    map(THUNK, ebx);
    call("another function", 3, STACK + 0x800);
    map(THUNK, again);
    call("elsewhere", OFTEN, STACK + 0x800);
    frame(3, one_to_eax);
    call("written over", 3, STACK + 0x800);
    if (code == caller) {
        frame(3, past_two_bytes);
        call("returns elsewhere", 3, STACK + 0x800);
    }
    frame(3, eip_to_eax);
    call("written back", OFTEN, STACK + 0x800);
    call("stack on the function's page", 3, STACK);
    map(STACK, ((uint32_t)bytes(4) | PTE_ALL) & ~(uint32_t)PTE_W);
    call("stack not writable", 3, STACK + 0x800);
    map(STACK, (uint32_t)bytes(4) | PTE_ALL);
    call("often", OFTEN, STACK + 0x800);
    map(THUNK, 0);
    call("gone", 3, STACK + 0x800);
}

void guest_main(void) {
    paging_init();
    write_cr3((uint32_t)paging_new_space(CALLER, &table));
    attempt(caller);
    attempt(deep_caller);
}
