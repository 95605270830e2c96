/*
 * The lowerings: guest instruction to host instructions, by class.
 */
#ifndef BT_LOWER_H
#define BT_LOWER_H

#include "bt/insn.h"

struct mop;

/* lower_segment.c: forms of MOV and POP */
void lower_mov_to_sreg(struct translation *t, const struct insn *i);
void lower_mov_from_sreg(struct translation *t, const struct insn *i);
void lower_pop_sreg(struct translation *t, const struct insn *i);
/* lower_bit.c */
void lower_bit(struct translation *t, const struct insn *i);
/* lower_copy.c */
void lower_copy(struct translation *t, const struct insn *i);
void lower_divide(struct translation *t, const struct insn *i);
void lower_nop(struct translation *t, const struct insn *i);
/* lower_move.c */
void lower_mov(struct translation *t, const struct insn *i);
void lower_lea(struct translation *t, const struct insn *i);
void lower_xlat(struct translation *t, const struct insn *i);
void lower_salc(struct translation *t, const struct insn *i);
void lower_maskmov(struct translation *t, const struct insn *i);
void lower_clflush(struct translation *t, const struct insn *i);
/* lower_stack.c */
void lower_push(struct translation *t, const struct insn *i);
void lower_pop(struct translation *t, const struct insn *i);
void lower_leave(struct translation *t, const struct insn *i);
void lower_pushf(struct translation *t, const struct insn *i);
void lower_popf(struct translation *t, const struct insn *i);
/* Pushes the value in host register src; `size` bytes. */
void lower_push_reg(struct translation *t, const struct insn *i, int src, unsigned size);
/* The same for v->scratch. */
void lower_push_scratch(struct translation *t, const struct insn *i, unsigned size);
/* The same for the return address of a CALL. */
void lower_push_return(struct translation *t, const struct insn *i, unsigned size);
/* lower_branch.c */
void lower_jmp(struct translation *t, const struct insn *i);
void lower_jcc(struct translation *t, const struct insn *i);
void lower_loop(struct translation *t, const struct insn *i);
void lower_call(struct translation *t, const struct insn *i);
void lower_ret(struct translation *t, const struct insn *i);
/* lower_string.c */
void lower_string(struct translation *t, const struct insn *i);
/* lower_system.c */
void lower_callout(struct translation *t, const struct insn *i);
void lower_cli(struct translation *t, const struct insn *i);
void lower_sti(struct translation *t, const struct insn *i);
void lower_rdtsc(struct translation *t, const struct insn *i);
/* The callout argument for an instruction's operands; emits the effective address. */
uint64_t lower_callout_arg(struct translation *t, const struct insn *i);

#endif
