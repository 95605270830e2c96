/* One instruction that faults hundreds of times and then works: page faults on fresh and read-only
 * pages, divide errors of register and memory operands. A monitor may come to treat such an
 * instruction in another way; what the guest sees may not change. SDM vol. 3A section 6.15. */
#include "guest.h"

enum { ROUNDS = 500, PAGES_AT = ARENA, DIVISOR_AT = ARENA_LARGE, SEVEN = 7, CF = 1 };

static uint32_t faults, wrong, expected_error;

/* ESI: first page, ECX: pages. */
CODE(read_pages, "1: stc; movl (%esi), %edx; adcl %edx, %eax; leal 4096(%esi), %esi; loop 1b");
CODE(write_pages, "1: stc; movl %ecx, (%esi); adcl $0, %eax; leal 4096(%esi), %esi; loop 1b");
/* EBX or the word at EDI is zero every time; the handler makes it seven. ESI sums up. */
CODE(divide_register, "1: xorl %ebx, %ebx; movl $1000, %eax; xorl %edx, %edx; stc; divl %ebx;"
                      "   addl %eax, %esi; addl %edx, %esi; loop 1b");
CODE(divide_memory, "1: movl $0, (%edi); movl $-1000, %eax; cltd; stc; idivl (%edi);"
                    "   addl %eax, %esi; addl %edx, %esi; loop 1b");
CODE(divide_byte, "1: xorb %bh, %bh; movl $50, %eax; stc; divb %bh;"
                  "   movzwl %ax, %eax; addl %eax, %esi; loop 1b");

/* A present page stays what it was but for the right that was missing. */
static void page_fault(struct trap_frame *f) {
    uint32_t gla, page;

    __asm__ volatile("movl %%cr2, %0" : "=r"(gla));
    page = PAGES_AT + faults * 4096;
    wrong += gla != page || (f->error & 7) != expected_error || f->esi != page || !(f->eflags & CF);
    faults++;
    if (gla < PAGES_AT || gla >= PAGES_AT + ROUNDS * 4096)
        power_off();
    paging_set(gla, gla | PTE_P | PTE_U | (expected_error & 2 ? PTE_W : 0));
}

static void divide_error(struct trap_frame *f) {
    wrong += !(f->eflags & CF);
    faults++;
    if (f->eip < (uint32_t)divide_memory)
        f->ebx = SEVEN;
    else if (f->eip < (uint32_t)divide_byte)
        *(uint32_t *)DIVISOR_AT = SEVEN;
    else
        f->ebx |= SEVEN << 8;
}

static void attempt(const char *name, const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);

    faults = wrong = 0;
    in.eax = 0;
    in.esi = code == read_pages || code == write_pages ? PAGES_AT : 0;
    in.edi = DIVISOR_AT;
    in.ecx = ROUNDS;
    run(&in);
    printf("ring %d, %s: %u faults, %u wrong, eax=%x esi=%x\n", ring, name, faults, wrong,
           trap.regs.eax, trap.regs.esi);
}

static void pages(int ring) {
    uint32_t user = ring ? 4 : 0;

    for (uint32_t i = 0; i < ROUNDS; i++)
        paging_set(PAGES_AT + i * 4096, 0);
    expected_error = user;
    attempt("fresh pages", read_pages, ring);
    attempt("again", read_pages, ring);
    expected_error = user | 3;
    attempt("read-only pages", write_pages, ring);
    attempt("again", write_pages, ring);
    attempt("read", read_pages, ring);
}

void guest_main(void) {
    paging_init();
    __asm__ volatile("movl %0, %%cr0" ::"r"(0x80010033)); /* CR0.WP */
    trap_handlers[0] = divide_error;
    trap_handlers[14] = page_fault;
    for (int ring = 0; ring <= 3; ring += 3) {
        attempt("DIV register", divide_register, ring);
        attempt("IDIV memory", divide_memory, ring);
        attempt("DIV byte", divide_byte, ring);
        pages(ring);
    }
}
