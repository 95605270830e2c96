/*
 * One decoded guest instruction: what Zydis says, boiled down to what the translator needs.
 */
#ifndef BT_INSN_H
#define BT_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/callout.h"
#include "vmm/x86.h"

struct translation;
struct insn;

/* Emits an instruction's translation. */
typedef void (*lower_fn)(struct translation *t, const struct insn *i);

enum insn_class { CLASS_INT, CLASS_X87, CLASS_MMX, CLASS_SSE, CLASS_FX, CLASS_WAIT };

/* A row of bt/insn.def. */
struct insn_row {
    lower_fn lower; /* NULL: no row, #UD */
    callout_fn callout;
    uint8_t class;
};

/* What kind of register an encoding field names. */
enum reg_kind { KIND_NONE, KIND_GPR8, KIND_GPR, KIND_SREG, KIND_CR, KIND_DR, KIND_OTHER };

/* Where the opcode stands. */
enum insn_map { MAP_PRIMARY, MAP_0F, MAP_0F38, MAP_0F3A };

/* Memory operand. Registers are guest GPR numbers, REG_NONE (-1) when absent. */
struct insn_mem {
    bool present;
    int8_t base, index;
    uint8_t scale;  /* shift 0..3 */
    uint8_t seg;    /* SEG_*, overrides applied */
    uint8_t adsize; /* 2 or 4 */
    bool read, write;
    bool aligned;  /* #GP(0) unless at a multiple of 16 */
    bool maskable; /* but not with MXCSR.MM set */
    uint16_t size; /* bytes accessed */
    int32_t disp;
};

/* INSN_MNEMONICS: more than Zydis has. */
enum { INSN_MNEMONICS = 2048, INSN_MAX_BYTES = 15 };

struct insn {
    const struct insn_row *row;
    uint16_t mnemonic;
    uint8_t length;
    uint8_t map, opcode;
    bool has_modrm;
    uint8_t modrm_mod, modrm_reg, modrm_rm;
    uint8_t reg_kind, rm_kind,
        opreg_kind;                       /* ModRM.reg, ModRM.rm (register form), opcode bits 2:0 */
    uint8_t opsize;                       /* operand size in bytes: 1, 2, 4 */
    uint8_t stack_size;                   /* what PUSH/POP/CALL/RET move: 2 or 4 */
    bool prefix_66, prefix_f2, prefix_f3; /* to be kept when the encoding is copied */
    bool mandatory_66;                    /* prefix_66 is part of the opcode */
    bool lock;
    bool fpu_waits;        /* a pending #MF comes before the operand's faults */
    bool fpu_loads_status; /* replaces the x87 status word */
    uint8_t rep;           /* CO_REP_* */
    uint8_t imm_size;      /* bytes of immediate kept in a copy */
    bool relative;         /* imm is a branch displacement */
    bool far_ptr;          /* direct far pointer: imm = offset, imm2 = selector */
    uint32_t imm, imm2;
    struct insn_mem mem;
    /* its bytes: prefixes, opcode, ModRM and SIB; displacement; first immediate */
    uint8_t lead_bytes, disp_bytes, imm_bytes;
    bool imm_signed;
};

/* Does it overwrite all arithmetic flags, and cannot fault or look at them before? */
bool insn_sets_flags(const struct insn *i);
/* Does it neither read nor write flags, and cannot fault? */
bool insn_ignores_flags(const struct insn *i);

enum insn_status {
    INSN_OK,
    INSN_UNDEFINED, /* #UD */
    INSN_TOO_LONG,  /* #GP(0): more than 15 bytes */
    INSN_PARTIAL,   /* needs more bytes than given */
};

struct insn_decoder;
/* A decoder for 16- or 32-bit code; storage of insn_decoder_size() bytes is the caller's. */
unsigned insn_decoder_size(void);
void insn_decoder_init(struct insn_decoder *d);
/* Decodes bytes[0..n), n <= 15, of code with 32-bit (code32) or 16-bit defaults. What exists only
 * in protected mode is decoded in all: its callouts raise #UD elsewhere. With 15 bytes it is
 * several times faster where something alike has been decoded before (insn_shape.h). */
enum insn_status insn_decode(struct insn_decoder *d, bool code32, const uint8_t *bytes, unsigned n,
                             struct insn *out);
/* The same in two steps, for 15 bytes: their shape_key(), and the instruction that has it. */
uint64_t insn_shape(bool code32, const uint8_t *bytes);
enum insn_status insn_decode_shape(struct insn_decoder *d, bool code32, const uint8_t *bytes,
                                   uint64_t shape, struct insn *out);

#endif
