/*
 * x86-64 instruction encoding, Intel SDM vol. 2A sections 2.1 and 2.2 (ModRM, SIB, REX).
 */
#include "bt/emit.h"

#include <stddef.h>

#include "host/host.h"

/* May an emitter write up to EMIT_ROOM bytes at e->p? It stores where it ended in e->p itself. */
static bool room(struct emit *e) {
    if (__builtin_expect(e->end - e->p >= EMIT_ROOM, 1))
        return true;
    e->overflow = true;
    return false;
}

static uint8_t *put32(uint8_t *p, uint32_t v) {
    memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

void emit_u32(struct emit *e, uint32_t v) {
    if (room(e))
        e->p = put32(e->p, v);
}

void emit_u64(struct emit *e, uint64_t v) {
    emit_u32(e, (uint32_t)v);
    emit_u32(e, (uint32_t)(v >> 32));
}

static uint8_t *put_prefixes(uint8_t *p, unsigned flags) {
    if (__builtin_expect(!(flags & (OP_LOCK | OP_16 | OP_F2 | OP_F3)), 1))
        return p;
    if (flags & OP_LOCK)
        *p++ = 0xf0;
    if (flags & OP_16)
        *p++ = 0x66;
    if (flags & OP_F2)
        *p++ = 0xf2;
    if (flags & OP_F3)
        *p++ = 0xf3;
    return p;
}

static uint8_t *put_opcode(uint8_t *p, unsigned opcode) {
    if (opcode > 0xffff)
        *p++ = (uint8_t)(opcode >> 16);
    if (opcode > 0xff)
        *p++ = (uint8_t)(opcode >> 8);
    *p++ = (uint8_t)opcode;
    return p;
}

/* rex: its W, R, X and B bits. */
static uint8_t *put_rex(uint8_t *p, unsigned rex, bool force) {
    if (rex || force)
        *p++ = (uint8_t)(0x40 | rex);
    return p;
}

static inline __attribute__((always_inline)) uint8_t *put_modrm_mem(uint8_t *p, int reg,
                                                                    const struct mop *m) {
    unsigned r = ((unsigned)reg & 7) << 3;
    unsigned index = m->index == REG_NONE ? 4 : (unsigned)m->index & 7;

    if (m->base == REG_NONE) {
        /* No base: the SIB form with disp32; ModRM.rm = 5 would be RIP-relative here. */
        *p++ = (uint8_t)(r | 4);
        *p++ = (uint8_t)((unsigned)m->scale << 6 | index << 3 | 5);
        return put32(p, (uint32_t)m->disp);
    }
    unsigned base = (unsigned)m->base & 7;
    unsigned mod = 2;
    if (m->disp == 0 && base != 5)
        mod = 0;
    else if (m->disp >= -128 && m->disp <= 127)
        mod = 1;
    if (m->index == REG_NONE && base != 4) {
        *p++ = (uint8_t)(mod << 6 | r | base);
    } else {
        *p++ = (uint8_t)(mod << 6 | r | 4);
        *p++ = (uint8_t)((unsigned)m->scale << 6 | index << 3 | base);
    }
    if (mod == 1)
        *p++ = (uint8_t)m->disp;
    else if (mod == 2)
        p = put32(p, (uint32_t)m->disp);
    return p;
}

void emit_modrm_mem(struct emit *e, int reg, const struct mop *m) {
    if (room(e))
        e->p = put_modrm_mem(e->p, reg, m);
}

/* A register number's bit for REX; absent registers have none. */
static unsigned high(int reg) {
    return reg >= 8;
}

void emit_op_mem(struct emit *e, unsigned flags, unsigned opcode, int reg, const struct mop *m) {
    uint8_t *p = e->p;

    if (!room(e))
        return;
    if (m->window)
        *p++ = e->window;
    if (m->a32)
        *p++ = 0x67;
    p = put_prefixes(p, flags);
    bool byte_rex = (flags & OP_B8) && reg >= 4 && reg < 8;
    unsigned w = flags & OP_W ? 8 : 0;
    p = put_rex(p, w | high(reg) << 2 | high(m->index) << 1 | high(m->base), byte_rex);
    p = put_opcode(p, opcode);
    e->p = put_modrm_mem(p, reg, m);
}

void emit_op_reg(struct emit *e, unsigned flags, unsigned opcode, int reg, int rm) {
    uint8_t *p = e->p;

    if (!room(e))
        return;
    p = put_prefixes(p, flags);
    bool byte_rex = (flags & OP_B8) && ((reg >= 4 && reg < 8) || (rm >= 4 && rm < 8));
    p = put_rex(p, (flags & OP_W ? 8 : 0) | high(reg) << 2 | high(rm), byte_rex);
    p = put_opcode(p, opcode);
    *p++ = (uint8_t)(0xc0u | ((unsigned)reg & 7) << 3 | ((unsigned)rm & 7));
    e->p = p;
}

/* REX.B where the register needs it, then the one-byte opcode with the register in it. */
static void emit_rex_op(struct emit *e, unsigned rex, unsigned opcode, int reg) {
    uint8_t *p = e->p;

    if (!room(e))
        return;
    p = put_rex(p, rex | high(reg), false);
    *p++ = (uint8_t)(opcode | ((unsigned)reg & 7));
    e->p = p;
}

void emit_mov_rr(struct emit *e, int dst, int src) {
    emit_op_reg(e, 0, 0x89, src, dst);
}

void emit_mov64_rr(struct emit *e, int dst, int src) {
    emit_op_reg(e, OP_W, 0x89, src, dst);
}

void emit_mov_ri(struct emit *e, int dst, uint32_t imm) {
    emit_rex_op(e, 0, 0xb8, dst);
    emit_u32(e, imm);
}

void emit_mov64_ri(struct emit *e, int dst, uint64_t imm) {
    if (imm <= UINT32_MAX) {
        emit_mov_ri(e, dst, (uint32_t)imm);
        return;
    }
    emit_rex_op(e, 8, 0xb8, dst);
    emit_u64(e, imm);
}

void emit_load(struct emit *e, int dst, struct mop m) {
    emit_op_mem(e, 0, 0x8b, dst, &m);
}

void emit_load64(struct emit *e, int dst, struct mop m) {
    emit_op_mem(e, OP_W, 0x8b, dst, &m);
}

void emit_store(struct emit *e, struct mop m, int src) {
    emit_op_mem(e, 0, 0x89, src, &m);
}

void emit_store64(struct emit *e, struct mop m, int src) {
    emit_op_mem(e, OP_W, 0x89, src, &m);
}

void emit_store_imm(struct emit *e, struct mop m, uint32_t imm) {
    emit_op_mem(e, 0, 0xc7, 0, &m);
    emit_u32(e, imm);
}

void emit_lea(struct emit *e, int dst, struct mop m) {
    m.window = false;
    m.a32 = false; /* the result is truncated to 32 bits anyway */
    emit_op_mem(e, 0, 0x8d, dst, &m);
}

void emit_lea64(struct emit *e, int dst, struct mop m) {
    m.window = false;
    emit_op_mem(e, OP_W, 0x8d, dst, &m);
}

void emit_push(struct emit *e, int reg) {
    emit_rex_op(e, 0, 0x50, reg);
}

void emit_pop(struct emit *e, int reg) {
    emit_rex_op(e, 0, 0x58, reg);
}

/* A displacement to be set later. */
static uint8_t *emit_disp32(struct emit *e) {
    uint8_t *at = e->p;
    emit_u32(e, 0);
    return e->overflow ? e->start : at;
}

uint8_t *emit_jmp(struct emit *e) {
    emit_u8(e, 0xe9);
    return emit_disp32(e);
}

uint8_t *emit_jcc(struct emit *e, unsigned cc) {
    emit_u8(e, 0x0f);
    emit_u8(e, 0x80u | (cc & 15));
    return emit_disp32(e);
}

uint8_t *emit_call(struct emit *e) {
    emit_u8(e, 0xe8);
    return emit_disp32(e);
}

uint8_t *emit_short(struct emit *e, unsigned opcode) {
    emit_u8(e, opcode);
    uint8_t *at = e->p;
    emit_u8(e, 0);
    return e->overflow ? e->start : at;
}

void emit_jmp_reg(struct emit *e, int reg) {
    emit_op_reg(e, 0, 0xff, 4, reg);
}

void emit_call_reg(struct emit *e, int reg) {
    emit_op_reg(e, 0, 0xff, 2, reg);
}

void emit_patch32(uint8_t *disp, const uint8_t *target) {
    int32_t rel = (int32_t)(target - (disp + 4));
    memcpy(disp, &rel, 4);
}

void emit_bind_short(struct emit *e, uint8_t *disp) {
    if (!e->overflow)
        *disp = (uint8_t)(e->p - (disp + 1));
}

void emit_bind(struct emit *e, uint8_t *disp) {
    if (!e->overflow)
        emit_patch32(disp, e->p);
}

void emit_flags_save(struct emit *e) {
    emit_mov64_rr(e, R11, RAX);
    emit_u8(e, 0x9f); /* lahf */
    emit_u8(e, 0x0f); /* seto al */
    emit_u8(e, 0x90);
    emit_u8(e, 0xc0);
}

void emit_flags_restore(struct emit *e) {
    emit_u8(e, 0x04); /* add al, 7fh: OF = the saved OF */
    emit_u8(e, 0x7f);
    emit_u8(e, 0x9e); /* sahf: the other five */
    emit_mov64_rr(e, RAX, R11);
}

void emit_flags_set(struct emit *e, int src) {
    emit_u8(e, 0xfc); /* cld */
    emit_op_reg(e, 0, 0x0fba, 4, src);
    emit_u8(e, 10);                    /* bt src, DF */
    uint8_t *up = emit_short(e, 0x73); /* jnc */
    emit_u8(e, 0xfd);                  /* std */
    emit_bind_short(e, up);
    emit_mov_rr(e, R11, src);
    emit_op_reg(e, 0, 0xc1, 5, R11); /* shr r11d, 11 */
    emit_u8(e, 11);
    emit_op_reg(e, 0, 0x83, 4, R11); /* and r11d, 1: OF */
    emit_u8(e, 1);
    emit_mov64_rr(e, R10, RAX);
    if (src != RAX)
        emit_mov_rr(e, RAX, src);
    emit_u8(e, 0x88); /* mov ah, al */
    emit_u8(e, 0xc4);
    emit_op_reg(e, OP_B8, 0x80, 0, R11); /* add r11b, 7fh: OF as it was */
    emit_u8(e, 0x7f);
    emit_u8(e, 0x9e); /* sahf: the other five */
    emit_mov64_rr(e, RAX, R10);
}
