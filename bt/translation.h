/*
 * A block while it is being translated.
 */
#ifndef BT_TRANSLATION_H
#define BT_TRANSLATION_H

#include "bt/bt_priv.h"
#include "bt/emit.h"
#include "bt/key.h"

/* An effective address in host registers, before segment base and checks. */
struct ea {
    int8_t base, index;
    uint8_t scale;
    uint8_t adsize; /* 2: wraps at 64 KiB, 4 */
    int32_t disp;
};

/* Emits the host instruction(s) that use the memory operand, and whatever register changes may only
 * happen once the access has succeeded. Called twice for a checked operand: for the fast path and
 * for the slow one; aux is passed on. */
typedef void (*operand_use)(struct translation *t, const struct insn *i, const struct mop *m,
                            unsigned aux);

/* The slow path of a checked operand, emitted behind the block. */
struct slow_path {
    const struct insn *insn;
    operand_use use;
    unsigned aux;
    uint32_t eip, next_eip;
    uint16_t size;
    uint8_t access;
    bool incomplete; /* more of the instruction follows: CALL after its push */
    uint8_t *branch; /* displacement of the branch here */
    uint8_t *resume; /* where the fast path goes on */
};

struct pending_exit {
    uint32_t target;
    uint8_t *branch;
    /* of a call of a PC thunk (pc_thunk.c): */
    bool pc_thunk;
    uint8_t reg;       /* that it loads */
    int32_t esp_delta; /* behind its push */
    uint32_t eip, next_eip;
    uint8_t *resume; /* where the block goes on */
};

/* An indirect CALL, whose jump is emitted behind the block. */
struct pending_call {
    uint32_t eip;
    uint8_t *branch;
};

enum { SLOW_PATHS = BLOCK_MAX_INSNS * 3, BLOCK_CALLS = 8 };

/* STI has a shadow of one instruction. */
enum { POLL_BEHIND_NEXT = 2 };

struct translation {
    struct bt *bt;
    struct vcpu *v;
    struct block *block;
    struct emit e;
    uint32_t key;
    const uint8_t *page_bytes; /* the page the block starts on */
    uint32_t eip;              /* of the instruction at hand */
    uint32_t next_eip;         /* of the one behind it */
    bool ended;                /* the last instruction left the block by itself */
    bool incomplete;           /* a write at hand does not complete its instruction */
    bool hinted;               /* the instruction needs the VMM's checks (hints.c; behind STI) */
    bool checked;              /* this instruction's operands take the checked form */
    bool extends;              /* the block goes on behind branches not taken and behind calls */
    bool lags;                 /* the instruction can do with ESP lagging behind (esp.c) */
    int32_t esp_delta;         /* guest ESP less R12 */
    unsigned poll_in;          /* POLL_BEHIND_NEXT behind STI; less one with each insn begun */
    uint32_t polled;           /* the instruction at this EIP needs no poll if has_polled */
    bool has_polled;
    bool templates;     /* instructions may have them (template.h) */
    uint64_t shape;     /* insn_shape() of the instruction at eip; 0: not known */
    uint32_t relies_on; /* guest bytes from the block's start that were looked at */
    unsigned side_count, slow_count, exit_count, call_count;
    /* nothing behind this is cleared when a translation begins */
    struct slow_path slow[SLOW_PATHS];
    struct pending_exit exits[BLOCK_EXITS];
    struct pending_call calls[BLOCK_CALLS];
    struct block_exit exit_table[BLOCK_EXITS];
};

static inline bool translation_single(const struct translation *t) {
    return (t->key & KEY_SINGLE) != 0;
}

/* Linear address of the instruction at hand. */
static inline gla_t translation_gla(const struct translation *t) {
    return t->block->gla + (t->eip - t->block->eip);
}

/* From here on host code belongs to guest EIP `eip`. */
void translation_mark(struct translation *t, uint32_t eip, enum side_fix fix);

/* Are the arithmetic flags overwritten from `eip` on before anything can see them? If so, the block
 * dies when the instructions that say so are written, also where it ends before them. */
bool translation_flags_dead(struct translation *t, uint32_t eip);

/* Emits what i, at t->eip, does. */
void translation_lower(struct translation *t, const struct insn *i);

/* -- edge.c -- */

/* Goes on if the EIP in R8 is this one, else faults (edge_difference()). Flags stay. Changes R9 and
 * `reg`. For where the host has an edge. */
void edge_emit_compare(struct emit *e, uint32_t eip, unsigned reg);

/* -- entry.c -- */

/* The check in front of the block's code, if it is to have one. */
void entry_emit(struct translation *t);

/* -- esp.c: ESP that lags behind -- */

/* Makes R12 guest ESP again. */
void esp_settle(struct translation *t);
/* Can i be translated while R12 is not guest ESP? */
bool esp_may_lag(const struct translation *t, const struct insn *i);
/* ADD or SUB of ESP whose flags no one sees: true, nothing is left to do. */
bool esp_fold(struct translation *t, const struct insn *i);

/* -- landing.c -- */

/* Behind a host CALL: goes on if the EIP in R8 is the one behind the guest's. */
void landing_emit(struct translation *t);

/* -- pc_thunk.c -- */
/* The register that a call of `target` by the instruction at hand loads with its return address, if
 * that is all it does and can be left out; else -1. */
int pc_thunk_called(const struct translation *t, uint32_t target);

/* -- operand.c: memory operands in both forms -- */

/* The effective address of i's memory operand. */
struct ea ea_of(const struct translation *t, const struct insn *i);
/* [reg + disp] with the stack's or another address size. */
struct ea ea_reg(const struct translation *t, int host_reg, int32_t disp, unsigned adsize);
/* Puts the effective address (offset in the segment) in a host register. */
void ea_emit(struct translation *t, const struct ea *a, int dst);
/* Is i's memory operand in a segment that needs no check at run time? */
bool operand_needs_no_thunk(const struct translation *t, const struct insn *i);
/* Has an access in segment seg (MMU_R, MMU_W or both) no checks here? R10 and R11 survive it. */
bool operand_is_plain(const struct translation *t, unsigned seg, unsigned access);
/* An access of `size` bytes (MMU_R, MMU_W or both) at `a` in segment seg. */
void operand_access(struct translation *t, const struct insn *i, const struct ea *a, unsigned seg,
                    unsigned size, unsigned access, operand_use use, unsigned aux);
/* The access is to the instruction's own memory operand. */
void operand_access_mem(struct translation *t, const struct insn *i, operand_use use, unsigned aux);
/* Emits the slow paths collected so far. */
void operand_emit_slow_paths(struct translation *t);
/* Ready-made uses; aux is the host register. */
void use_load32(struct translation *t, const struct insn *i, const struct mop *m, unsigned aux);
void use_load16(struct translation *t, const struct insn *i, const struct mop *m, unsigned aux);
void use_load8(struct translation *t, const struct insn *i, const struct mop *m, unsigned aux);
/* stores v->scratch; aux is the size, 2 or 4. Scratch registers do not survive an access's checks,
 * so a value on its way from one operand to another waits there. */
void use_store_scratch(struct translation *t, const struct insn *i, const struct mop *m,
                       unsigned aux);
/* load of a stack-sized (2 or 4 bytes) value into a host register, zero-extended */
void load_value(struct translation *t, const struct insn *i, const struct ea *a, unsigned seg,
                unsigned size, int dst);

/* -- exits.c: leaving the block -- */

/* Branch to guest EIP target: `branch` is the displacement of a jump already emitted. */
void exit_direct(struct translation *t, uint32_t target, uint8_t *branch);
/* Jump to the guest EIP in R8 through the jump cache. */
void exit_indirect(struct translation *t);
/* CALL after its push: to `target`, or to the guest EIP in R8; and RET to the guest EIP in R8. */
void exit_call_direct(struct translation *t, uint32_t target);
void exit_call_indirect(struct translation *t);
void exit_return(struct translation *t);
/* Counts for -stats, where it was asked for: three instructions that leave the flags alone. */
void exit_emit_count(struct bt *bt, struct emit *e, struct mop counter);
/* The jump through the jump cache to the guest EIP in R8. */
void exit_emit_jump_cache(struct bt *bt, struct emit *e);
/* Interrupt poll before the instruction at t->eip. */
void exit_poll(struct translation *t);
/* The same where IF may have been set, and guest EIP is `eip`: for what has waited for that. It is
 * known already, so it costs no host exception. */
void exit_poll_sti(struct translation *t, uint32_t eip);
/* The same where STI is right before t->eip: the run loop lets one instruction run first. */
void exit_poll_in_shadow(struct translation *t);
/* Leaves so in any case: code that follows in another block would not know. */
void exit_in_shadow(struct translation *t);
/* Block entry: leaves unless the page that the block's one crossing instruction ends on is still
 * the one it was translated from. */
void exit_unless_second_page(struct translation *t);
/* What stands behind the instructions: jumps of indirect calls and page checks; and the exits'
 * stubs and table. */
void exit_emit_exits(struct translation *t);
/* Call to a callout with EIP and next EIP stored. */
void exit_callout(struct translation *t, callout_fn fn, uint64_t arg);

#endif
