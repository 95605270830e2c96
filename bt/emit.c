/*
 * x86-64 instruction encoding, Intel SDM vol. 2A sections 2.1 and 2.2 (ModRM, SIB, REX).
 */
#include "bt/emit.h"

#include <stddef.h>

#include "host/host.h"

void emit_u8(struct emit *e, unsigned b) {
    if (e->p < e->end)
        *e->p++ = (uint8_t)b;
    else
        e->overflow = true;
}

void emit_u32(struct emit *e, uint32_t v) {
    if (e->end - e->p >= 4) {
        memcpy(e->p, &v, 4);
        e->p += 4;
    } else {
        e->overflow = true;
    }
}

void emit_u64(struct emit *e, uint64_t v) {
    emit_u32(e, (uint32_t)v);
    emit_u32(e, (uint32_t)(v >> 32));
}

static void emit_prefixes(struct emit *e, unsigned flags) {
    if (flags & OP_LOCK)
        emit_u8(e, 0xf0);
    if (flags & OP_16)
        emit_u8(e, 0x66);
    if (flags & OP_F2)
        emit_u8(e, 0xf2);
    if (flags & OP_F3)
        emit_u8(e, 0xf3);
}

static void emit_opcode(struct emit *e, unsigned opcode) {
    if (opcode > 0xffff)
        emit_u8(e, opcode >> 16);
    if (opcode > 0xff)
        emit_u8(e, opcode >> 8 & 0xff);
    emit_u8(e, opcode & 0xff);
}

static void emit_rex(struct emit *e, bool w, bool r, bool x, bool b, bool force) {
    unsigned rex = 0x40u | (unsigned)w << 3 | (unsigned)r << 2 | (unsigned)x << 1 | (unsigned)b;
    if (rex != 0x40 || force)
        emit_u8(e, rex);
}

void emit_modrm_mem(struct emit *e, int reg, const struct mop *m) {
    unsigned r = ((unsigned)reg & 7) << 3;

    if (m->base == REG_NONE) {
        /* No base: the SIB form with disp32; ModRM.rm = 5 would be RIP-relative here. */
        unsigned index = m->index == REG_NONE ? 4 : (unsigned)m->index & 7;
        emit_u8(e, r | 4);
        emit_u8(e, (unsigned)m->scale << 6 | index << 3 | 5);
        emit_u32(e, (uint32_t)m->disp);
        return;
    }
    unsigned base = (unsigned)m->base & 7;
    unsigned mod = 2;
    if (m->disp == 0 && base != 5)
        mod = 0;
    else if (m->disp >= -128 && m->disp <= 127)
        mod = 1;
    if (m->index == REG_NONE && base != 4) {
        emit_u8(e, mod << 6 | r | base);
    } else {
        unsigned index = m->index == REG_NONE ? 4 : (unsigned)m->index & 7;
        emit_u8(e, mod << 6 | r | 4);
        emit_u8(e, (unsigned)m->scale << 6 | index << 3 | base);
    }
    if (mod == 1)
        emit_u8(e, (unsigned)m->disp & 0xff);
    else if (mod == 2)
        emit_u32(e, (uint32_t)m->disp);
}

void emit_op_mem(struct emit *e, unsigned flags, unsigned opcode, int reg, const struct mop *m) {
    if (m->gs)
        emit_u8(e, 0x65);
    if (m->a32)
        emit_u8(e, 0x67);
    emit_prefixes(e, flags);
    bool byte_rex = (flags & OP_B8) && reg >= 4 && reg < 8;
    emit_rex(e, flags & OP_W, reg >= 8, m->index >= 8, m->base >= 8, byte_rex);
    emit_opcode(e, opcode);
    emit_modrm_mem(e, reg, m);
}

void emit_op_reg(struct emit *e, unsigned flags, unsigned opcode, int reg, int rm) {
    emit_prefixes(e, flags);
    bool byte_rex = (flags & OP_B8) && ((reg >= 4 && reg < 8) || (rm >= 4 && rm < 8));
    emit_rex(e, flags & OP_W, reg >= 8, false, rm >= 8, byte_rex);
    emit_opcode(e, opcode);
    emit_u8(e, 0xc0u | ((unsigned)reg & 7) << 3 | ((unsigned)rm & 7));
}

void emit_mov_rr(struct emit *e, int dst, int src) {
    emit_op_reg(e, 0, 0x89, src, dst);
}

void emit_mov64_rr(struct emit *e, int dst, int src) {
    emit_op_reg(e, OP_W, 0x89, src, dst);
}

void emit_mov_ri(struct emit *e, int dst, uint32_t imm) {
    emit_rex(e, false, false, false, dst >= 8, false);
    emit_u8(e, 0xb8u | ((unsigned)dst & 7));
    emit_u32(e, imm);
}

void emit_mov64_ri(struct emit *e, int dst, uint64_t imm) {
    if (imm <= UINT32_MAX) {
        emit_mov_ri(e, dst, (uint32_t)imm);
        return;
    }
    emit_rex(e, true, false, false, dst >= 8, false);
    emit_u8(e, 0xb8u | ((unsigned)dst & 7));
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
    m.gs = false;
    m.a32 = false; /* the result is truncated to 32 bits anyway */
    emit_op_mem(e, 0, 0x8d, dst, &m);
}

void emit_lea64(struct emit *e, int dst, struct mop m) {
    m.gs = false;
    emit_op_mem(e, OP_W, 0x8d, dst, &m);
}

void emit_push(struct emit *e, int reg) {
    emit_rex(e, false, false, false, reg >= 8, false);
    emit_u8(e, 0x50u | ((unsigned)reg & 7));
}

void emit_pop(struct emit *e, int reg) {
    emit_rex(e, false, false, false, reg >= 8, false);
    emit_u8(e, 0x58u | ((unsigned)reg & 7));
}

static uint8_t *emit_disp32(struct emit *e) {
    uint8_t *at = e->p;
    emit_u32(e, 0);
    return at;
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
    return at;
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
