/*
 * The guest's call chain (guest_stack.h).
 */
#include "host/process/guest_stack.h"

#include "mmu/mmu.h"
#include "vmm/vcpu.h"

enum { CALL_BYTES_MAX = 7, PROLOGUE_BYTES = 24, LEAF_WORDS = 16 };

bool guest_stack_behind_call(const struct vcpu *v, uint32_t to) {
    uint8_t b[CALL_BYTES_MAX];
    if (mmu_peek(v, to - CALL_BYTES_MAX, b, sizeof b) != sizeof b)
        return false;
    if (b[CALL_BYTES_MAX - 5] == 0xe8)
        return true;
    for (unsigned length = 2; length <= CALL_BYTES_MAX; length++) {
        const uint8_t *p = b + CALL_BYTES_MAX - length;
        if (p[0] != 0xff || (p[1] >> 3 & 7) != 2)
            continue;
        unsigned mod = p[1] >> 6, rm = p[1] & 7;
        unsigned want = 2 + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
        if (mod != 3 && rm == 4)
            want += 1 + (mod == 0 && (p[2] & 7) == 5 ? 4 : 0);
        else if (mod == 0 && rm == 5)
            want += 4;
        if (want == length)
            return true;
    }
    return false;
}

/* Where PUSH EBP and MOV EBP, ESP stand at the start of a function (behind ENDBR32, or what the
 * guest traces calls with); -1: nowhere. */
static int prologue(const struct vcpu *v, uint32_t start) {
    uint8_t b[PROLOGUE_BYTES];
    uint32_t n = mmu_peek(v, start, b, sizeof b);
    for (uint32_t i = 0; i + 3 <= n; i++)
        if (b[i] == 0x55 &&
            ((b[i + 1] == 0x89 && b[i + 2] == 0xe5) || (b[i + 1] == 0x8b && b[i + 2] == 0xec)))
            return (int)i;
    return -1;
}

uint32_t guest_stack_leaf(const struct vcpu *v, uint32_t start, uint32_t gla, uint32_t esp) {
    int at = prologue(v, start);
    uint8_t op;
    bool returns = mmu_peek(v, gla, &op, 1) == 1 && (op == 0xc3 || op == 0xc2);
    if (at >= 0 && gla > start + (uint32_t)at + 1 && !returns)
        return 0;
    /* above what it has pushed */
    for (uint32_t i = 0; i < LEAF_WORDS; i++) {
        uint32_t word;
        if (mmu_peek(v, v->seg[SEG_SS].base + esp + 4 * i, &word, sizeof word) != sizeof word)
            return 0;
        word += v->seg[SEG_CS].base;
        if (guest_stack_behind_call(v, word))
            return word;
    }
    return 0;
}

unsigned guest_stack_walk(const struct vcpu *v, uint32_t ebp, uint32_t *reached, uint32_t *callers,
                          unsigned max) {
    uint32_t stack = v->seg[SEG_SS].base, code = v->seg[SEG_CS].base;
    uint32_t frame = ebp;
    unsigned n = 0;
    while (n < max && frame >= *reached && frame % 4 == 0) {
        uint32_t word[2]; /* caller's EBP, return address */
        if (mmu_peek(v, stack + frame, word, sizeof word) != sizeof word || word[1] == 0 ||
            !guest_stack_behind_call(v, code + word[1]))
            break;
        callers[n++] = code + word[1];
        *reached = frame + 8;
        frame = word[0];
    }
    return n;
}
