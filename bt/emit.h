/*
 * Emitters: bytes and x86-64 instructions into a buffer (Intel SDM vol. 2 chapter 2). The buffer
 * never overruns: where less than EMIT_ROOM bytes are left they drop what they would write and set
 * `overflow`; the translator then gives the block up and starts over with fewer instructions. So a
 * displacement that an emitter returns lies in the buffer even when nothing stands there.
 */
#ifndef BT_EMIT_H
#define BT_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "bt/regs.h"

enum { EMIT_ROOM = 16 };

struct emit {
    uint8_t *start, *p, *end;
    bool overflow;
    uint8_t window; /* the prefix of an access through the window: FS or GS */
};

enum { PREFIX_FS = 0x64, PREFIX_GS = 0x65 };

/* A host memory operand. base/index REG_NONE: absent; scale is the shift 0..3. */
struct mop {
    int8_t base, index;
    uint8_t scale;
    int32_t disp;
    bool window; /* an access through the window */
    bool a32;    /* 32-bit address size: wraps at 4 GiB */
};

static inline struct mop mop_base(int base, int32_t disp) {
    return (struct mop){.base = (int8_t)base, .index = REG_NONE, .disp = disp};
}
/* A field of struct vcpu. */
#define MOP_VCPU(field) mop_base(REG_VCPU, (int32_t)offsetof(struct vcpu, field))

static inline void emit_u8(struct emit *e, unsigned b) {
    if (__builtin_expect(e->end - e->p >= EMIT_ROOM, 1))
        *e->p++ = (uint8_t)b;
    else
        e->overflow = true;
}
void emit_u32(struct emit *e, uint32_t v);
void emit_u64(struct emit *e, uint64_t v);

/*
 * One instruction [prefix] [REX] opcode ModRM. opcode: up to three bytes, most significant first
 * (0x0FB6 = 0F B6). flags below.
 */
#define OP_W    1u  /* REX.W */
#define OP_16   2u  /* 66 prefix */
#define OP_F2   4u  /* F2 prefix */
#define OP_F3   8u  /* F3 prefix */
#define OP_LOCK 16u /* F0 prefix */
#define OP_B8   32u /* 8-bit register operand: SPL..DIL need a REX */
void emit_op_mem(struct emit *e, unsigned flags, unsigned opcode, int reg, const struct mop *m);
/* The ModRM, SIB and displacement bytes alone (REX bits are the caller's). */
void emit_modrm_mem(struct emit *e, int reg, const struct mop *m);
void emit_op_reg(struct emit *e, unsigned flags, unsigned opcode, int reg, int rm);

/* mov r32, r32 / mov r64, r64 / mov r32, [m] / mov [m], r32 / mov dword [m], imm32 ... */
void emit_mov_rr(struct emit *e, int dst, int src);
void emit_mov64_rr(struct emit *e, int dst, int src);
void emit_mov_ri(struct emit *e, int dst, uint32_t imm);
void emit_mov64_ri(struct emit *e, int dst, uint64_t imm);
void emit_load(struct emit *e, int dst, struct mop m);
void emit_load64(struct emit *e, int dst, struct mop m);
void emit_store(struct emit *e, struct mop m, int src);
void emit_store64(struct emit *e, struct mop m, int src);
void emit_store_imm(struct emit *e, struct mop m, uint32_t imm);
/* lea r32, [m] (address size as m says; the result is the low 32 bits) / lea r64, [m] */
void emit_lea(struct emit *e, int dst, struct mop m);
void emit_lea64(struct emit *e, int dst, struct mop m);
void emit_push(struct emit *e, int reg);
void emit_pop(struct emit *e, int reg);

/* Condition codes as in Jcc's low four bits. */
enum cond { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP };

/* Branches with a 32-bit displacement; return where the displacement stands. */
uint8_t *emit_jmp(struct emit *e);
uint8_t *emit_jcc(struct emit *e, unsigned cc);
uint8_t *emit_call(struct emit *e);
/* Short forward branches: opcode 70+cc, E3 (JRCXZ), EB; returns the displacement byte. */
uint8_t *emit_short(struct emit *e, unsigned opcode);
void emit_jmp_reg(struct emit *e, int reg);
void emit_call_reg(struct emit *e, int reg);

/* Sets a displacement so that the branch goes to target (both in the writable mapping). */
void emit_patch32(uint8_t *disp, const uint8_t *target);
void emit_bind_short(struct emit *e, uint8_t *disp);
void emit_bind(struct emit *e, uint8_t *disp);

/*
 * Saves/restores the arithmetic flags in RAX without touching RAX's value for the guest:
 * mov r11, rax; lahf; seto al  ...  add al, 7fh; sahf; mov rax, r11.
 * PUSHFQ/POPFQ would cost several times as much.
 */
void emit_flags_save(struct emit *e);
void emit_flags_restore(struct emit *e);

/* Arithmetic flags and DF := those of the EFLAGS image in src. Clobbers R10 and R11; src is RAX or
 * any other register but those. POPFQ is several times slower. */
void emit_flags_set(struct emit *e, int src);

#endif
