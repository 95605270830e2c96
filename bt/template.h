/*
 * Templates: the translation of an instruction that is the same wherever the instruction stands.
 * Most are: a host instruction or two, with the guest's displacement and immediate in them. What
 * lowering made of such a one is kept by its shape (insn_shape.h) and the block's key, and the next
 * one alike is a copy with its own two numbers put in.
 *
 *      8b 45 | 08          mov eax, [ebp + 8]              8b 45 | f4       the next one
 *      65 67 8b 45 | 08    template, displacement at 4     65 67 8b 45 | f4
 *
 * Nothing says in advance which instructions are of this kind. Each is lowered twice more, with
 * other numbers, at another EIP and into another place: what differs then must be these numbers.
 */
#ifndef BT_TEMPLATE_H
#define BT_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

struct translation;
struct insn;

enum {
    TEMPLATES = 4096,
    TEMPLATE_BYTES = 32,
    TEMPLATE_ROOM = TEMPLATE_BYTES + 4, /* a number may begin behind it, when it has no bits */
};

enum template_state {
    TEMPLATE_NONE,
    TEMPLATE_SEEN, /* one instruction alike: worth a template with the second */
    TEMPLATE_NEVER,
    TEMPLATE_READY,
};

/* A cache line of the host. */
struct insn_template {
    _Alignas(64) uint64_t shape; /* shape_key() */
    uint32_t key;                /* of the blocks it is for, less KEY_GLOBAL */
    uint8_t state;
    uint8_t length;              /* of the guest's instruction */
    uint8_t disp_from, imm_from; /* where its numbers are */
    uint8_t disp_at, imm_at;     /* where they go in `code`: displacement first */
    uint8_t size;
    uint32_t disp_mask, imm_mask; /* their bits, of 32 */
    uint8_t code[TEMPLATE_ROOM];
};

/* May the block's instructions have templates? */
bool template_allowed(const struct translation *t);
/* Begins to bring what template_find() will look at into the processor's caches. */
void template_prefetch(const struct translation *t);
/* The template for the instruction of shape t->shape at t->eip, or NULL. */
const struct insn_template *template_find(const struct translation *t);
/* Emits this instruction, whose bytes these are. */
void template_emit(struct translation *t, const struct insn_template *m, const uint8_t *bytes);
/* i, of shape t->shape, has just been lowered: it may become a template. */
void template_learn(struct translation *t, const struct insn *i);

#endif
