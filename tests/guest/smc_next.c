/* Code that changes the very next instructions, the loop it runs in, or itself by string
 * instructions: the new bytes count from the next instruction on (SDM vol 3A, 8.1.3, whose jump
 * each snippet has where the manual asks for one; all x86 processors since the Pentium need none).
 */
#include "guest.h"

static uint8_t *const code = (uint8_t *)ARENA;

static void emit(uint32_t at, const uint8_t *bytes, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        ((volatile uint8_t *)ARENA)[at + i] = bytes[i];
}

#define EMIT(at, ...)                                                                              \
    do {                                                                                           \
        static const uint8_t bytes[] = {__VA_ARGS__};                                              \
        emit(at, bytes, sizeof bytes);                                                             \
    } while (0)

static void attempt(const char *name, int ring) {
    struct regs in = ring ? regs_ring3(code) : regs_ring0(code);
    in.edi = ARENA + 0x100;
    in.esi = ARENA;
    in.ecx = in.eax = in.edx = in.ebx = 0;
    run(&in);
    printf("ring%d ", ring);
    report(name, &in);
}

void guest_main(void) {
    for (int ring = 0; ring <= 3; ring += 3) {
        /* MOV BYTE [ESI+4], 42h; INC ECX (patched to INC EDX); INT F0 */
        EMIT(0, 0xC6, 0x46, 0x04, 0x42, 0x41, 0xCD, 0xF0);
        attempt("next instruction", ring);
        /* MOV DWORD [ESI+8], 12345678h; MOV EAX, 0 (immediate patched) */
        EMIT(0, 0xC7, 0x46, 0x08, 0x78, 0x56, 0x34, 0x12, 0xB8, 0, 0, 0, 0, 0xCD, 0xF0);
        attempt("immediate of the next instruction", ring);
        /* NOP over INC ECX across the store's own last byte: MOV WORD [ESI+5], 9090h */
        EMIT(0, 0x66, 0xC7, 0x46, 0x06, 0x90, 0x90, 0x41, 0x41, 0x41, 0xCD, 0xF0);
        attempt("two of three instructions", ring);
        /* An instruction that overwrites itself runs as it was read: MOV BYTE [ESI], 90h */
        EMIT(0, 0xC6, 0x06, 0x90, 0x41, 0xCD, 0xF0);
        attempt("itself", ring);
        printf("  byte %02x\n", *(volatile uint8_t *)ARENA);
        /* Loop: INC BYTE [ESI+imm]; ADD EAX, imm8; DEC EDX; JNZ: the immediate grows each time. */
        EMIT(0, 0xBA, 100, 0, 0, 0, 0xFE, 0x46, 0x0A, 0x83, 0xC0, 0x00, 0x4A, 0x75, 0xF7, 0xCD,
             0xF0);
        attempt("loop of 100 patched immediates", ring);
        /* The loop's opcode alternates: XOR BYTE [ESI+8], 28h turns ADD EAX,1 (C0) into SUB (E8).
         */
        EMIT(0, 0xBA, 7, 0, 0, 0, 0x80, 0x76, 0x0A, 0x28, 0x83, 0xC0, 0x01, 0x4A, 0x75, 0xF6, 0xCD,
             0xF0);
        attempt("loop of alternating opcodes", ring);
        /* REP STOSB over the code behind it: all INC EBX until the INT. */
        EMIT(0, 0xB9, 20, 0, 0, 0, 0xB0, 0x43, 0x8D, 0x7E, 0x0C, 0xF3, 0xAA);
        for (uint32_t i = 12; i < 60; i++)
            ((volatile uint8_t *)ARENA)[i] = 0x90;
        EMIT(60, 0xCD, 0xF0);
        attempt("REP STOSB over what follows", ring);
        /* REP MOVSB copies code over itself forward, then runs it. */
        EMIT(0, 0xB9, 8, 0, 0, 0, 0x8D, 0x7E, 0x40, 0x83, 0xC6, 0x30, 0xF3, 0xA4, 0xEB, 0x30);
        EMIT(0x30, 0x40, 0x40, 0x40, 0x42, 0x42, 0x43, 0xCD, 0xF0);
        EMIT(0x40, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC);
        attempt("REP MOVSB, then jump there", ring);
        /* Conditional branch displacement patched: JMP +2 becomes JMP +0. */
        EMIT(0, 0xC6, 0x46, 0x05, 0x00, 0xEB, 0x02, 0x40, 0x40, 0x40, 0xCD, 0xF0);
        attempt("displacement", ring);
        /* PUSH as the patching store: the stack lies over the code. */
        EMIT(0, 0x8D, 0x66, 0x10, 0x68, 0x41, 0x41, 0xCD, 0xF0, 0x90, 0x90, 0x90, 0x90, 0x40, 0x40,
             0x40, 0x40, 0x40, 0xCD, 0xF0);
        attempt("PUSH", ring);
        /* Locked XCHG, and a two-byte store that straddles instructions. */
        EMIT(0, 0xB0, 0x43, 0x86, 0x46, 0x05, 0x40, 0x66, 0xC7, 0x46, 0x0D, 0x43, 0x43, 0x90, 0x90,
             0x40, 0xCD, 0xF0);
        attempt("XCHG and a straddling store", ring);
    }
}
