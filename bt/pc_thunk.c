/*
 * Functions that return their return address, which is all that they do:
 *
 *     mov reg, [esp]
 *     ret
 *
 * Position-independent i386 code begins most of its functions with a call of one, because it cannot
 * name EIP. Where hot code calls one the block goes on with
 *
 *     mov [esp-4], next_eip               as CALL does
 *     jmp door                            or: mov reg, next_eip
 *   back:
 *
 * and behind it stand (exits.c)
 *
 *     mov reg, next_eip                   never run here
 *   door:
 *     call the function, come back
 *     jmp back
 *
 * When the call is chained past its check (links.c) to a block that is such a function, MOV takes
 * the jump's place, and the jump comes back when the chain does not hold any longer. That what RET
 * loads is what CALL has just stored needs no look: the store went to memory.
 */
#include "bt/translation.h"

enum { OPCODE_MOV_LOAD = 0x8b, OPCODE_RET = 0xc3, MODRM_SIB = 0x04, SIB_ESP = 0x24 };

int pc_thunk_register(const uint8_t *code) {
    unsigned reg = code[1] >> 3 & 7;

    if (code[0] != OPCODE_MOV_LOAD || (code[1] & 0xc7) != MODRM_SIB || code[2] != SIB_ESP ||
        code[3] != OPCODE_RET || reg == ESP)
        return -1;
    return (int)reg;
}

int pc_thunk_called(const struct translation *t, uint32_t target) {
    gla_t gla = target + (t->block->gla - t->block->eip);
    uint32_t page;

    if (!t->extends || !t->lags || !(t->key & KEY_CODE32) ||
        (gla & ~PAGE_MASK) > PAGE_SIZE - PC_THUNK_BYTES)
        return -1;
    page = codepage_cached(t->bt, t->v, gla, key_user(t->key));
    return page ? pc_thunk_register(codepage_bytes(t->bt, page) + (gla & ~PAGE_MASK)) : -1;
}
