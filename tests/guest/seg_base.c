/* Segment bases: data, stack and code segments with base != 0, wrap-around of base + offset at 4
 * GiB, overrides of every prefix, default segments of EBP and ESP, string instructions (SDM vol
 * 3A, 3.4; vol 1, 3.7.4). */
#include "guest.h"

CODE(read_all,
     "movl (%esi), %eax; movl %es:(%esi), %ecx; movl %fs:(%esi), %edx; movl %gs:(%esi), %ebx");
CODE(write_all,
     "movb $1, (%esi); movb $2, %es:1(%esi); movb $3, %fs:2(%esi); movb $4, %gs:3(%esi)");
CODE(rmw, "addl %eax, %fs:(%esi); incl %gs:(%esi); lock xaddl %ecx, %es:(%esi); notl (%esi)");
CODE(defaults,
     "movl (%esp), %eax; movl (%ebp), %ebx; movl %ds:(%esp), %ecx; movl %ds:(%ebp), %edx");
CODE(defaults2,
     "movl (%ebp,%edi), %eax; movl (%edi,%ebp), %ebx; movl (%esp,%edi), %ecx; movl 4(%ebp), %edx");
CODE(absolute, "movl %fs:16, %eax; movl %gs:20, %ecx; movb %al, %fs:24");
CODE(moffs, ".byte 0x64, 0xa1; .long 16; movl %eax, %ecx; .byte 0x65, 0xa3; .long 28");
CODE(movs, "movl $4, %ecx; rep movsl");
CODE(movs_fs, "movl $4, %ecx; rep movsl %fs:(%esi), %es:(%edi)");
CODE(lods_gs, "lodsl %gs:(%esi)");
CODE(stos, "movl $0x5a5a5a5a, %eax; stosl");
CODE(cmps_fs, "cmpsl %es:(%edi), %fs:(%esi)");
CODE(xlat_fs, "leal 8(%esi), %ebx; movb $4, %al; .byte 0x64; xlatb");
CODE(lea_seg, ".byte 0x64; leal 8(%esi), %eax");
CODE(frame, "enter $8, $0; movl %ebp, %eax; movl %esp, %ebx; movl $7, -4(%ebp); leave");
CODE(push_memory, "pushl %fs:(%esi); popl %gs:4(%esi)");
CODE(jump_memory, "jmp *%fs:(%esi); ud2; 1: nop");
CODE(fpu, "fninit; fildl %fs:(%esi); fistpl %gs:8(%esi)");
CODE(far_pointer, "lesl %fs:(%esi), %eax");

enum {
    D = SEL_FREE,
    E = SEL_FREE + 8,
    F = SEL_FREE + 16,
    G = SEL_FREE + 24,
    S = SEL_FREE + 32,
    C = SEL_FREE + 40
};

static volatile uint32_t *at(uint32_t block, uint32_t offset) {
    return (volatile uint32_t *)(ARENA + block * 0x10000 + offset);
}

static void fill(void) {
    for (uint32_t b = 0; b < 6; b++)
        for (uint32_t i = 0; i < 64; i++)
            *at(b, i * 4) = 0xA0000000 | b << 16 | i * 4;
}

static struct regs prepare(const uint8_t *code, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.ds = (uint32_t)(D | ring);
    in.es = (uint32_t)(E | ring);
    in.fs = (uint32_t)(F | ring);
    in.gs = (uint32_t)(G | ring);
    in.ss = (uint32_t)((ring ? S : SEL_FREE + 48) | ring);
    in.esp = 0x8000;
    in.esi = in.edi = 0x20;
    in.ebp = 0x40;
    return in;
}

static void attempt(const char *name, const uint8_t *code) {
    for (int ring = 0; ring <= 3; ring += 3) {
        struct regs in = prepare(code, ring);
        fill();
        if (code == jump_memory) /* 2 bytes of UD2 behind the 3 of the jump */
            *at(2, 0x20) = (uint32_t)code + 5;
        if (code == far_pointer)
            *at(2, 0x24) = SEL_DATA3;
        *at(4, 0x8000) = 0x55AA1234;
        run(&in);
        printf("ring%d ", ring);
        report(name, &in);
        for (uint32_t b = 0; b < 5; b++)
            for (uint32_t i = 0; i < 64; i++)
                if (*at(b, i * 4) != (0xA0000000 | b << 16 | i * 4) && code != jump_memory &&
                    code != far_pointer)
                    printf("  block %u offset %x: %08x\n", b, i * 4, *at(b, i * 4));
    }
}

#define ATTEMPT(code) attempt(#code, code)

static void data(uint16_t selector, uint32_t base, uint8_t dpl) {
    gdt_set(selector,
            descriptor(base, 0xFFFFF, (uint8_t)(ACCESS_P | dpl | ACCESS_DATA_RW), FLAG_SEG_32_4K));
}

void guest_main(void) {
    data(D, (uint32_t)at(0, 0), ACCESS_DPL3);
    data(E, (uint32_t)at(1, 0), ACCESS_DPL3);
    data(F, (uint32_t)at(2, 0), ACCESS_DPL3);
    data(G, (uint32_t)at(3, 0), ACCESS_DPL3);
    data(S, (uint32_t)at(4, 0), ACCESS_DPL3);
    data(SEL_FREE + 48, (uint32_t)at(4, 0), 0);
    ATTEMPT(read_all);
    ATTEMPT(write_all);
    ATTEMPT(rmw);
    ATTEMPT(defaults);
    ATTEMPT(defaults2);
    ATTEMPT(absolute);
    ATTEMPT(moffs);
    ATTEMPT(movs);
    ATTEMPT(movs_fs);
    ATTEMPT(lods_gs);
    ATTEMPT(stos);
    ATTEMPT(cmps_fs);
    ATTEMPT(xlat_fs);
    ATTEMPT(lea_seg);
    ATTEMPT(frame);
    ATTEMPT(push_memory);
    ATTEMPT(jump_memory);
    ATTEMPT(fpu);
    ATTEMPT(far_pointer);

    /* A code segment with a base: EIP, return addresses and CS reads are offsets in it. */
    static const uint8_t body[] = {0x90, 0xE8, 0, 0, 0, 0, 0x58, 0x2E,
                                   0x8B, 0x0D, 1, 0, 0, 0, 0xCD, 0xF0};
    for (unsigned i = 0; i < sizeof body; i++)
        ((volatile uint8_t *)at(5, 0))[i] =
            body[i]; /* NOP; CALL +0; POP EAX; MOV ECX, CS:[1]; INT F0 */
    for (int ring = 0; ring <= 3; ring += 3) {
        gdt_set(C, descriptor((uint32_t)at(5, 0), 0xFFFFF,
                              (uint8_t)(ACCESS_P | ring << 5 | ACCESS_CODE_R), FLAG_SEG_32_4K));
        struct regs in = ring ? regs_ring3(0) : regs_ring0(0);
        in.cs = (uint32_t)(C | ring);
        run(&in);
        printf("ring%d eip %x ", ring, trap.regs.eip);
        report("code with a base", &in);
    }

    /* base + offset wraps at 4 GiB. */
    data(F, 0xFFFFF000, ACCESS_DPL3);
    data(G, ARENA + 0x100, ACCESS_DPL3);
    *(volatile uint32_t *)(ARENA + 0xF0) = 0x77665544;
    struct regs in = regs_ring3(read_all);
    in.fs = F | 3;
    in.gs = G | 3;
    in.esi = ARENA + 0x1000 + 0xF0;
    run(&in);
    printf("FFFFF000 + %08x: %08x\n", in.esi, trap.regs.edx);
    in.esi = 0xFFFFFFF0;
    run(&in);
    printf("ARENA + 100 + %08x: %08x\n", in.esi, trap.regs.ebx);
}
