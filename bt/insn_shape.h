/*
 * Shapes: what the decoder made of an instruction's leading bytes - prefixes, opcode, ModRM and
 * SIB. All the decoder says but displacement and immediate follows from them, so an instruction
 * whose leading bytes have been seen before is the remembered one with its own two values put in.
 *
 *      66 | 81 44 24 | 10 | 34 12           key: 66 81 44 24, their number and the mode
 *      leading bytes   disp  imm            the shape: the struct insn of the first one seen
 *
 * shape_key() guesses how many bytes lead. A wrong guess costs time only: a shape is kept when the
 * decoder took that many, and found when exactly these bytes are there again.
 */
#ifndef BT_INSN_SHAPE_H
#define BT_INSN_SHAPE_H

#include "bt/insn.h"

enum { SHAPES = 8192 };

struct insn_shapes {
    uint64_t key[SHAPES]; /* 0: free */
    struct insn insn[SHAPES];
};

/* The key of the instruction at bytes[0..INSN_MAX_BYTES); mode numbers what else decides. */
uint64_t shape_key(const uint8_t *bytes, unsigned mode, bool address16);
/* Is what it guesses what the decoder found? Only then is i what all instructions with the key are
 * but for their displacement and their immediate. */
bool shape_fits(uint64_t key, const struct insn *i);
/* The shape with this key, or NULL. */
const struct insn *shape_find(const struct insn_shapes *s, uint64_t key);
/* Remembers a decoded instruction if it can be; an older one goes for it. */
void shape_keep(struct insn_shapes *s, uint64_t key, const struct insn *i);
/* The instruction at `bytes`, which has this shape. */
void shape_apply(const struct insn *shape, const uint8_t *bytes, struct insn *out);

#endif
