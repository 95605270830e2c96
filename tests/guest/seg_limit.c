/* Segment limits: expand-up and expand-down, byte and page granularity, data, stack and code; the
 * fault is #SS(0) through SS and #GP(0) otherwise (SDM vol 3A, 5.3). */
#include "guest.h"

CODE(read1, "movb %fs:(%esi), %al");
CODE(read2, "movw %fs:(%esi), %ax");
CODE(read4, "movl %fs:(%esi), %eax");
CODE(write4, "movl %eax, %fs:(%esi)");
CODE(add4, "addl %eax, %fs:(%esi)");
CODE(lods_fs, "lodsl %fs:(%esi)");
CODE(movs_es, "movl %esi, %edi; movl $" TEXT(ARENA) ", %esi; movsl");
CODE(rep_stos, "movl %esi, %edi; cld; movl $100, %ecx; rep stosb");
CODE(push_ss, "pushl %eax; popl %ebx");
CODE(read_ss, "movl -4(%esp), %ebx");
CODE(read_ebp, "movl -4(%ebp), %ebx");
CODE(call_ss, "call 1f; 1: popl %ebx");
CODE(jump_out, "jmp *%esi");
CODE(call_out, "call *%esi");
CODE(cs_read, "movb %cs:(%esi), %al");
CODE(cs_write, "movb %al, %cs:(%esi)");
CODE(fs_write, "movb %al, %fs:(%esi)");

static void probe(const char *what, uint32_t esi, const uint8_t *code, const char *name) {
    struct regs in = regs_ring3(code);
    in.fs = in.es = SEL_FREE | 3;
    in.esi = esi;
    run(&in);
    in.esi = trap.regs.esi;
    in.edi = trap.regs.edi;
    in.eax = trap.regs.eax;
    printf("%s %08x ", what, esi);
    report(name, &in);
}

#define PROBE(what, esi, code) probe(what, esi, code, #code)

static void set(uint32_t base, uint32_t limit, uint8_t access, uint8_t flags) {
    gdt_set(SEL_FREE, descriptor(base, limit, (uint8_t)(ACCESS_P | ACCESS_DPL3 | access), flags));
}

static void edges(const char *what, uint32_t last) {
    PROBE(what, last, read1);
    PROBE(what, last + 1, read1);
    PROBE(what, last - 1, read2);
    PROBE(what, last, read2);
    PROBE(what, last - 3, read4);
    PROBE(what, last - 2, read4);
    PROBE(what, last - 3, write4);
    PROBE(what, last - 2, write4);
    PROBE(what, last - 2, add4);
    PROBE(what, last, lods_fs);
    PROBE(what, last - 1, movs_es);
    PROBE(what, last - 9, rep_stos);
    PROBE(what, 0xFFFFFFFF, read1);
}

static void stack(const char *what, uint32_t esp, const uint8_t *code, const char *name) {
    struct regs in = regs_ring3(code);
    in.ss = SEL_FREE | 3;
    in.esp = in.ebp = esp;
    run(&in);
    in.ebx = trap.regs.ebx;
    printf("%s %08x ", what, esp);
    report(name, &in);
}

#define STACK(what, esp, code) stack(what, esp, code, #code)

void guest_main(void) {
    set(ARENA, 0xFFF, ACCESS_DATA_RW, FLAG_SEG_B);
    edges("limit FFF", 0xFFF);
    set(ARENA, 0x1, ACCESS_DATA_RW, FLAG_SEG_32_4K);
    edges("limit 1 page", 0x1FFF);
    set(ARENA, 0, ACCESS_DATA_RW, FLAG_SEG_B);
    PROBE("limit 0", 0, read1);
    PROBE("limit 0", 1, read1);
    PROBE("limit 0", 0, read2);

    /* Expand-down: valid from limit + 1 to FFFFFFFF, or to FFFF with B clear. */
    set(ARENA - 0x1000, 0xFFF, ACCESS_DATA_DOWN, FLAG_SEG_B);
    PROBE("down FFF", 0xFFF, read1);
    PROBE("down FFF", 0x1000, read1);
    PROBE("down FFF", 0xFFE, read4);
    PROBE("down FFF", 0x1000, write4);
    PROBE("down FFF", 0, read1);
    PROBE("down FFF", 0x10000, read4);
    set(ARENA - 0x1000, 0xFFF, ACCESS_DATA_DOWN, 0);
    PROBE("down FFF, B clear", 0x1000, read4);
    PROBE("down FFF, B clear", 0xFFFF, read1);
    PROBE("down FFF, B clear", 0xFFFF, read2);
    PROBE("down FFF, B clear", 0x10000, read1);

    set(ARENA, 0xFFF, ACCESS_DATA, FLAG_SEG_B);
    PROBE("read-only", 0, read4);
    PROBE("read-only", 0, write4);
    PROBE("read-only", 0, fs_write);
    PROBE("read-only", 0x1000, write4);

    set(ARENA, 0xFFF, ACCESS_DATA_RW, FLAG_SEG_B);
    STACK("limit FFF", 0x1000, push_ss);
    STACK("limit FFF", 0x1001, push_ss);
    STACK("limit FFF", 0x1004, push_ss);
    STACK("limit FFF", 4, push_ss);
    STACK("limit FFF", 2, push_ss);
    STACK("limit FFF", 0, push_ss);
    STACK("limit FFF", 0x1000, read_ss);
    STACK("limit FFF", 0x1002, read_ss);
    STACK("limit FFF", 0x1002, read_ebp);
    STACK("limit FFF", 0x1002, call_ss);
    set(ARENA - 0x1000, 0xFFF, ACCESS_DATA_DOWN, FLAG_SEG_B);
    STACK("down FFF", 0x1008, push_ss);
    STACK("down FFF", 0x1003, push_ss);

    /* Code: ring 3, a segment that ends right behind the snippet's page. */
    uint32_t limit = ((uint32_t)fs_write | 0xFFF) + 0x10000;
    set(0, limit >> 12, ACCESS_CODE_R, FLAG_SEG_32_4K);
    struct regs in = regs_ring3(jump_out);
    in.cs = SEL_FREE | 3;
    in.esi = ((limit >> 12) + 1) << 12;
    *(volatile uint16_t *)in.esi = 0xF0CD; /* INT 0F0h */
    run(&in);
    printf("jump beyond the code limit: %s(%x), eip+%d\n", vector_name(trap.vector), trap.error,
           trap.regs.eip == in.esi + 2 ? -1 : (int)(trap.regs.eip - in.eip));
    in.eip = (uint32_t)call_out;
    run(&in);
    printf("call beyond the code limit: %s(%x), eip+%d esp%d\n", vector_name(trap.vector),
           trap.error, trap.regs.eip == in.esi + 2 ? -1 : (int)(trap.regs.eip - in.eip),
           (int)(trap.regs.esp - in.esp));
    in.eip = (uint32_t)cs_write;
    run(&in);
    printf("write through CS: %s(%x)\n", vector_name(trap.vector), trap.error);
    in.eip = (uint32_t)cs_read;
    run(&in);
    printf("read beyond the code limit: %s(%x)\n", vector_name(trap.vector), trap.error);
    set(0, 0xFFFFF, ACCESS_CODE, FLAG_SEG_32_4K);
    in.esi = ARENA;
    run(&in);
    printf("read through execute-only CS: %s(%x)\n", vector_name(trap.vector), trap.error);
    /* The last byte of the code segment may be executed, the next not. */
    volatile uint8_t *code = (volatile uint8_t *)ARENA;
    code[0] = 0x40;
    code[1] = 0x40;
    code[2] = 0xCD;
    code[3] = VECTOR_END;
    set(ARENA, 0, ACCESS_CODE_R, FLAG_SEG_B);
    in = regs_ring3(0);
    in.cs = SEL_FREE | 3;
    run(&in);
    report("run off the code limit", &in);
    set(ARENA, 2, ACCESS_CODE_R, FLAG_SEG_B);
    run(&in);
    report("instruction across the code limit", &in);
    set(ARENA, 3, ACCESS_CODE_R, FLAG_SEG_B);
    run(&in);
    report("all within the limit", &in);
}
