/* Interpreter dispatch: a byte-code machine whose every instruction ends in an indirect jump. */
#include "lib/rt.h"

enum { PUSH, LOAD, STORE, ADD, SUB, MUL, XOR, SHIFT, DUP, SWAP, JUMP_NOT_ZERO, HALT };

/* x = 1; for (i = 1000; i; i--) x = (x * 33 ^ i) + (x >> 5); result x */
static const uint8_t program[] = {
    PUSH,  1,   STORE,         0,                         /* x */
    PUSH,  250, PUSH,          4,  MUL,  STORE, 1,        /* i */
    LOAD,  0,   PUSH,          33, MUL,  LOAD,  1,   XOR, /* at 11 */
    LOAD,  0,   SHIFT,         5,  ADD,  STORE, 0,   LOAD, 1,   PUSH, 1, SUB, DUP,
    STORE, 1,   JUMP_NOT_ZERO, 11, LOAD, 0,     DUP, SWAP, ADD, HALT,
};

static uint32_t interpret(const uint8_t *code) {
    static const void *const label[] = {
        [PUSH] = &&push, [LOAD] = &&load, [STORE] = &&store, [ADD] = &&add,
        [SUB] = &&sub,   [MUL] = &&mul,   [XOR] = &&xor,     [SHIFT] = &&shift,
        [DUP] = &&dup,   [SWAP] = &&swap, [HALT] = &&halt,   [JUMP_NOT_ZERO] = &&jump_not_zero,
    };
    uint32_t stack[16], variable[4] = {0}, t;
    uint32_t *sp = stack;
    const uint8_t *pc = code;
#define NEXT goto *label[*pc++]
    NEXT;
push:
    *sp++ = *pc++;
    NEXT;
load:
    *sp++ = variable[*pc++];
    NEXT;
store:
    variable[*pc++] = *--sp;
    NEXT;
add:
    sp--;
    sp[-1] += sp[0];
    NEXT;
sub:
    sp--;
    sp[-1] -= sp[0];
    NEXT;
mul:
    sp--;
    sp[-1] *= sp[0];
    NEXT;
    xor : sp--;
    sp[-1] ^= sp[0];
    NEXT;
shift:
    sp[-1] >>= *pc++;
    NEXT;
dup:
    sp[0] = sp[-1];
    sp++;
    NEXT;
swap:
    t = sp[-1];
    sp[-1] = sp[-2];
    sp[-2] = t;
    NEXT;
jump_not_zero:
    pc = *--sp != 0 ? code + *pc : pc + 1;
    NEXT;
halt:
    return sp[-1];
#undef NEXT
}

/* Count: runs of the program, 16,000 byte-code instructions each. */
uint32_t workload(uint32_t count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = rt_mix(sum, interpret(program));
    return sum;
}
