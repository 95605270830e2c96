/* Hardware breakpoints: execution (fault, before the instruction; RF lets it pass), data write and
 * access (trap, after it), lengths, I/O with CR4.DE, DR6 bits (SDM vol 3B, 17.2, 17.3.1). */
#include "guest.h"

CODE(three_nops, "nop; incl %eax; incl %ecx; nop");
CODE(store, "movb %al, (%esi); nop; nop");
CODE(load, "movb (%esi), %al; nop; nop");
CODE(rmw, "incl (%esi); nop");
CODE(rep_store, "movl $4, %ecx; movl %esi, %edi; rep stosb; nop");
CODE(out_port, "outb %al, $0x80; nop");

enum { RW_EXECUTE = 0, RW_WRITE = 1, RW_IO = 2, RW_ACCESS = 3 };

static void set(uint32_t address, uint32_t rw, uint32_t length) {
    write_dr0(address);
    write_dr6(0);
    write_dr7(0x2 | rw << 16 | (length - 1) << 18);
}

static void attempt(const char *name, const uint8_t *code, int ring, uint32_t esi, uint32_t flags) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.esi = esi;
    in.edi = esi;
    in.eflags |= flags;
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
    printf("  dr6 %08x\n", read_dr6());
    write_dr6(0);
}

void guest_main(void) {
    for (int ring = 0; ring <= 3; ring += 3) {
        set((uint32_t)three_nops + 1, RW_EXECUTE, 1);
        attempt("execute", three_nops, ring, 0, 0);
        attempt("execute, RF set at another instruction", three_nops, ring, 0, FLAG_RF);
        set((uint32_t)three_nops, RW_EXECUTE, 1);
        attempt("execute, first instruction", three_nops, ring, 0, 0);
        attempt("execute, first instruction, RF set", three_nops, ring, 0, FLAG_RF);
        set(ARENA, RW_WRITE, 1);
        attempt("write", store, ring, ARENA, 0);
        attempt("write, not by a load", load, ring, ARENA, 0);
        attempt("write beside it", store, ring, ARENA + 1, 0);
        attempt("read-modify-write", rmw, ring, ARENA, 0);
        set(ARENA, RW_ACCESS, 4);
        attempt("access by a load", load, ring, ARENA + 3, 0);
        attempt("access by a store", store, ring, ARENA + 2, 0);
        attempt("access beyond", load, ring, ARENA + 4, 0);
        write_dr7(0);
        attempt("disabled", load, ring, ARENA, 0);
    }
    set(ARENA + 2, RW_WRITE, 1);
    attempt("in a string instruction", rep_store, 3, ARENA, 0);
    write_cr4(CR4_DE);
    set(0x80, RW_IO, 1);
    attempt("I/O", out_port, 0, 0, 0);
    write_cr4(0);
    write_dr7(0);
}
