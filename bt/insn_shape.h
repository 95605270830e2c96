/*
 * Shapes: what the decoder made of an instruction's leading bytes - prefixes, opcode, ModRM and
 * SIB. All the decoder says but displacement and immediate follows from them, so an instruction
 * whose leading bytes have been seen before is the remembered one with its own two values put in.
 *
 *      66 | 81 44 24 | 10 | 34 12           key: 66 81 44 24, their number and the mode
 *      leading bytes   disp  imm            the shape: struct insn, and how wide disp and imm are
 *
 * shape_key() guesses how many bytes lead. A wrong guess costs time only: a shape is kept when the
 * decoder took that many, and found when exactly these bytes are there again.
 */
#ifndef BT_INSN_SHAPE_H
#define BT_INSN_SHAPE_H

#include "bt/insn.h"

enum { SHAPES = 4096 };

/* Where the bytes that a shape leaves open are; in bytes. */
struct insn_layout {
    uint8_t lead; /* 0: no shape can be made of it */
    uint8_t disp, imm;
    bool imm_signed;
};

struct insn_shape {
    uint64_t key; /* 0: free */
    struct insn insn;
    struct insn_layout layout;
};

/* The key of the instruction at bytes[0..INSN_MAX_BYTES); mode numbers what else decides. */
uint64_t shape_key(const uint8_t *bytes, unsigned mode, bool address16);
/* The shape with this key among SHAPES, or NULL. */
const struct insn_shape *shape_find(const struct insn_shape *shapes, uint64_t key);
/* Remembers a decoded instruction if it can be; an older one goes for it. */
void shape_keep(struct insn_shape *shapes, uint64_t key, const struct insn *i,
                const struct insn_layout *layout);
/* The instruction at `bytes`, whose shape is s. */
void shape_apply(const struct insn_shape *s, const uint8_t *bytes, struct insn *out);

#endif
