/*
 * Decoding with Zydis and the instruction table. Intel SDM vol. 2A chapter 2.
 */
#include "bt/insn.h"

#include <Zydis/Decoder.h>

#include "bt/insn_shape.h"
#include "bt/lower.h"
#include "bt/regs.h"
#include "host/host.h"

enum mode { CODE32, CODE16, MODES };

struct insn_decoder {
    struct insn_shapes shapes; /* first, so that an entry is a cache line of the host */
    ZydisDecoder zydis[MODES];
};

_Static_assert((int)ZYDIS_MNEMONIC_MAX_VALUE < (int)INSN_MNEMONICS, "struct bt counts by mnemonic");

static const struct insn_row rows[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
#define INSN(m, low, cls) [ZYDIS_MNEMONIC_##m] = {lower_##low, NULL, CLASS_##cls},
#define CALL(m, co, cls)  [ZYDIS_MNEMONIC_##m] = {lower_callout, callout_##co, CLASS_##cls},
#include "bt/insn.def"
#undef INSN
#undef CALL
};

/* MOVSD and CMPSD name both a string and an SSE2 instruction. */
static const struct insn_row row_sse_copy = {lower_copy, NULL, CLASS_SSE};

static void init_one(ZydisDecoder *d, ZydisMachineMode mode, ZydisStackWidth width) {
    ZydisDecoderInit(d, mode, width);
    /* Prefix bytes that newer CPUs give a meaning are ignored, as on the CPU that CPUID shows. */
    ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_LZCNT, ZYAN_FALSE);
    ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_TZCNT, ZYAN_FALSE);
    ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
}

unsigned insn_decoder_size(void) {
    return sizeof(struct insn_decoder);
}

void insn_decoder_init(struct insn_decoder *d) {
    init_one(&d->zydis[CODE32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    init_one(&d->zydis[CODE16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
}

static int gpr_number(ZydisRegister r) {
    if (r >= ZYDIS_REGISTER_EAX && r <= ZYDIS_REGISTER_EDI)
        return r - ZYDIS_REGISTER_EAX;
    if (r >= ZYDIS_REGISTER_AX && r <= ZYDIS_REGISTER_DI)
        return r - ZYDIS_REGISTER_AX;
    return REG_NONE;
}

static uint8_t seg_number(ZydisRegister r) {
    switch (r) {
    case ZYDIS_REGISTER_ES:
        return SEG_ES;
    case ZYDIS_REGISTER_CS:
        return SEG_CS;
    case ZYDIS_REGISTER_SS:
        return SEG_SS;
    case ZYDIS_REGISTER_FS:
        return SEG_FS;
    case ZYDIS_REGISTER_GS:
        return SEG_GS;
    default:
        return SEG_DS;
    }
}

static uint8_t register_kind(ZydisRegister r) {
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BH)
        return KIND_GPR8;
    if (r >= ZYDIS_REGISTER_AX && r <= ZYDIS_REGISTER_EDI)
        return KIND_GPR;
    if (r >= ZYDIS_REGISTER_ES && r <= ZYDIS_REGISTER_GS)
        return KIND_SREG;
    if (r >= ZYDIS_REGISTER_CR0 && r <= ZYDIS_REGISTER_CR15)
        return KIND_CR;
    if (r >= ZYDIS_REGISTER_DR0 && r <= ZYDIS_REGISTER_DR15)
        return KIND_DR;
    return KIND_OTHER;
}

static void note_memory(struct insn *out, const ZydisDecodedOperand *op, unsigned adsize) {
    struct insn_mem *m = &out->mem;

    m->present = true;
    m->base = (int8_t)gpr_number(op->mem.base);
    m->index = (int8_t)gpr_number(op->mem.index);
    m->scale = op->mem.scale == 8 ? 3 : op->mem.scale == 4 ? 2 : op->mem.scale == 2 ? 1 : 0;
    m->seg = seg_number(op->mem.segment);
    m->adsize = (uint8_t)adsize;
    m->disp = op->mem.disp.has_displacement ? (int32_t)op->mem.disp.value : 0;
    m->size = op->size / 8;
    m->read = (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
    m->write = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

static void note_register(struct insn *out, const ZydisDecodedOperand *op) {
    uint8_t kind = register_kind(op->reg.value);

    if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG)
        out->reg_kind = kind;
    else if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM)
        out->rm_kind = kind;
    else if (op->encoding == ZYDIS_OPERAND_ENCODING_OPCODE)
        out->opreg_kind = kind;
}

/* MMX rows whose operands are XMM registers obey the SSE rules. */
static bool uses_xmm(const ZydisDecodedOperand *ops, unsigned n) {
    for (unsigned k = 0; k < n; k++)
        if (ops[k].type == ZYDIS_OPERAND_TYPE_REGISTER && ops[k].reg.value >= ZYDIS_REGISTER_XMM0 &&
            ops[k].reg.value <= ZYDIS_REGISTER_XMM7)
            return true;
    return false;
}

/* Whether an instruction of 16-bit code needs an operand-size prefix where 32 bits are the
 * default. In front of SSE the byte would mean another instruction. */
static bool size_prefix_in_32(const ZydisDecodedInstruction *z) {
    uint8_t class = rows[z->mnemonic].class;

    if (class != CLASS_INT && class != CLASS_X87)
        return false;
    /* no operand of these has a size to choose; the prefix would be part of another opcode */
    static const ZydisMnemonic sizeless[] = {ZYDIS_MNEMONIC_CMPXCHG8B, ZYDIS_MNEMONIC_LFENCE,
                                             ZYDIS_MNEMONIC_MFENCE, ZYDIS_MNEMONIC_SFENCE,
                                             ZYDIS_MNEMONIC_MOVNTI};
    for (unsigned k = 0; k < sizeof sizeless / sizeof sizeless[0]; k++)
        if (z->mnemonic == sizeless[k])
            return false;
    return z->operand_width == 16;
}

static void note_prefixes(struct insn *out, const ZydisDecodedInstruction *z) {
    for (unsigned k = 0; k < z->raw.prefix_count; k++) {
        bool keep = z->raw.prefixes[k].type == ZYDIS_PREFIX_TYPE_MANDATORY ||
                    z->raw.prefixes[k].type == ZYDIS_PREFIX_TYPE_EFFECTIVE;
        if (!keep)
            continue;
        switch (z->raw.prefixes[k].value) {
        case 0x66:
            out->prefix_66 = true;
            out->mandatory_66 |= z->raw.prefixes[k].type == ZYDIS_PREFIX_TYPE_MANDATORY;
            break;
        case 0xf2:
            out->prefix_f2 = true;
            break;
        case 0xf3:
            out->prefix_f3 = true;
            break;
        default:
            break;
        }
    }
    if (z->machine_mode != ZYDIS_MACHINE_MODE_LEGACY_32 && !out->mandatory_66)
        out->prefix_66 = size_prefix_in_32(z);
    out->lock = (z->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    if (z->attributes & ZYDIS_ATTRIB_HAS_REPNE)
        out->rep = CO_REP_NE;
    else if (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
        out->rep = CO_REP_E;
}

static uint8_t map_number(ZydisOpcodeMap map) {
    switch (map) {
    case ZYDIS_OPCODE_MAP_0F:
        return MAP_0F;
    case ZYDIS_OPCODE_MAP_0F38:
        return MAP_0F38;
    case ZYDIS_OPCODE_MAP_0F3A:
        return MAP_0F3A;
    default:
        return MAP_PRIMARY;
    }
}

static void note_immediates(struct insn *out, const ZydisDecodedInstruction *z, bool moffs) {
    const struct ZydisDecodedInstructionRawImm_ *imm = z->raw.imm;

    out->imm = (uint32_t)imm[0].value.u;
    out->imm2 = (uint32_t)imm[1].value.u;
    out->relative = imm[0].is_relative;
    if (!moffs)
        out->imm_size = (uint8_t)((imm[0].size + imm[1].size) / 8);
}

/* Instructions that report a pending x87 exception before anything else, also before their
 * operand's faults (SDM vol. 1 section 8.6): x87 and MMX ones, and SSE conversions into an MMX
 * register (vol. 3B section 22.25.3). */
static bool fpu_waits(const struct insn *i) {
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_FNINIT:
    case ZYDIS_MNEMONIC_FNCLEX:
    case ZYDIS_MNEMONIC_FNSTCW:
    case ZYDIS_MNEMONIC_FNSTSW:
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
        return false;
    case ZYDIS_MNEMONIC_CVTPS2PI:
    case ZYDIS_MNEMONIC_CVTTPS2PI:
    case ZYDIS_MNEMONIC_CVTPD2PI:
    case ZYDIS_MNEMONIC_CVTTPD2PI:
        return true;
    default:
        return i->row->class == CLASS_X87 || i->row->class == CLASS_MMX;
    }
}

/* The misaligned SSE mode leaves these as they are (AMD64 APM vol. 1 section 4.2.2). */
static bool moves_aligned(const struct insn *i) {
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVAPD:
    case ZYDIS_MNEMONIC_MOVDQA:
    case ZYDIS_MNEMONIC_MOVNTPS:
    case ZYDIS_MNEMONIC_MOVNTPD:
    case ZYDIS_MNEMONIC_MOVNTDQ:
    case ZYDIS_MNEMONIC_MOVNTDQA:
        return true;
    default:
        return false;
    }
}

/* SSE operands of 16 bytes must be aligned but for a few instructions
 * (SDM vol. 1 section 11.4.1, vol. 2A table 2-16). */
static bool needs_alignment(const struct insn *i) {
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
        return false;
    default:
        return i->row->class == CLASS_SSE && i->mem.size == 16;
    }
}

static void note_bytes(struct insn *out, const ZydisDecodedInstruction *z) {
    const struct ZydisDecodedInstructionRawImm_ *imm = z->raw.imm;

    out->disp_bytes = z->raw.disp.size / 8;
    out->imm_bytes = imm[0].size / 8;
    out->imm_signed = imm[0].is_signed;
    out->lead_bytes = (uint8_t)(z->length - (z->raw.disp.size + imm[0].size + imm[1].size) / 8);
}

/* The decoder itself. */
static enum insn_status decode(const ZydisDecoder *decoder, const uint8_t *bytes, unsigned n,
                               struct insn *out) {
    ZydisDecoderContext context;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

    ZyanStatus status = ZydisDecoderDecodeInstruction(decoder, &context, bytes, n, &z);
    if (status == ZYDIS_STATUS_NO_MORE_DATA)
        return INSN_PARTIAL;
    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
        return INSN_TOO_LONG;
    if (!ZYAN_SUCCESS(status) || z.encoding > ZYDIS_INSTRUCTION_ENCODING_3DNOW)
        return INSN_UNDEFINED;
    if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || !rows[z.mnemonic].lower)
        return INSN_UNDEFINED;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(decoder, &context, &z, ops, z.operand_count)))
        return INSN_UNDEFINED;

    memset(out, 0, sizeof *out);
    out->row = &rows[z.mnemonic];
    out->mnemonic = (uint16_t)z.mnemonic;
    out->length = z.length;
    out->map = map_number(z.opcode_map);
    out->opcode = z.opcode;
    out->has_modrm = (z.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0;
    out->modrm_mod = z.raw.modrm.mod;
    out->modrm_reg = z.raw.modrm.reg;
    out->modrm_rm = z.raw.modrm.rm;
    out->opsize = (uint8_t)(z.operand_width / 8);
    out->stack_size = out->opsize;
    note_prefixes(out, &z);

    bool moffs = false;
    for (unsigned k = 0; k < z.operand_count; k++) {
        const ZydisDecodedOperand *op = &ops[k];
        if (op->type == ZYDIS_OPERAND_TYPE_REGISTER) {
            note_register(out, op);
        } else if (op->type == ZYDIS_OPERAND_TYPE_POINTER) {
            out->far_ptr = true;
        } else if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            bool displacement_only = op->encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64;
            if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM || displacement_only)
                note_memory(out, op, z.address_width / 8);
            moffs |= displacement_only;
        }
    }
    if (!out->mem.present) {
        /* implicit operands (strings, XLAT, MASKMOV) still need segment and address size */
        out->mem.adsize = z.address_width / 8;
        out->mem.seg = SEG_DS;
        for (unsigned k = 0; k < z.operand_count; k++)
            if (ops[k].type == ZYDIS_OPERAND_TYPE_MEMORY && gpr_number(ops[k].mem.base) != EDI &&
                gpr_number(ops[k].mem.base) != ESP)
                out->mem.seg = seg_number(ops[k].mem.segment);
    }
    note_immediates(out, &z, moffs);
    if ((z.mnemonic == ZYDIS_MNEMONIC_MOVSD || z.mnemonic == ZYDIS_MNEMONIC_CMPSD) &&
        out->map == MAP_0F)
        out->row = &row_sse_copy;
    else if (out->row->class == CLASS_MMX && out->row->lower == lower_copy &&
             uses_xmm(ops, z.operand_count))
        out->row = &row_sse_copy;
    out->mem.aligned = needs_alignment(out);
    out->mem.maskable = out->mem.aligned && !moves_aligned(out);
    if (out->row->class == CLASS_X87 && out->mem.write)
        out->mem.read = true; /* an unmasked exception suppresses the store: what was there stays */
    out->fpu_waits = fpu_waits(out);
    out->fpu_loads_status = z.mnemonic == ZYDIS_MNEMONIC_FLDENV ||
                            z.mnemonic == ZYDIS_MNEMONIC_FRSTOR ||
                            z.mnemonic == ZYDIS_MNEMONIC_FXRSTOR;
    note_bytes(out, &z);
    return INSN_OK;
}

static enum mode mode_of(bool code32) {
    return code32 ? CODE32 : CODE16;
}

uint64_t insn_shape(bool code32, const uint8_t *bytes) {
    return shape_key(bytes, mode_of(code32), !code32);
}

enum insn_status insn_decode_shape(struct insn_decoder *d, bool code32, const uint8_t *bytes,
                                   uint64_t shape, struct insn *out) {
    const struct insn *known = shape_find(&d->shapes, shape);

    if (known) {
        shape_apply(known, bytes, out);
        return INSN_OK;
    }
    enum insn_status status = decode(&d->zydis[mode_of(code32)], bytes, INSN_MAX_BYTES, out);
    if (status == INSN_OK)
        shape_keep(&d->shapes, shape, out);
    return status;
}

enum insn_status insn_decode(struct insn_decoder *d, bool code32, const uint8_t *bytes, unsigned n,
                             struct insn *out) {
    if (n < INSN_MAX_BYTES)
        return decode(&d->zydis[mode_of(code32)], bytes, n, out);
    return insn_decode_shape(d, code32, bytes, insn_shape(code32, bytes), out);
}

bool insn_sets_flags(const struct insn *i) {
    if (i->mem.present || i->lock)
        return false;
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_XOR:
        return true;
    default:
        return false;
    }
}

bool insn_ignores_flags(const struct insn *i) {
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_LEA:
        return true;
    case ZYDIS_MNEMONIC_MOV: /* between general registers, or an immediate */
        return !i->mem.present && i->map == MAP_PRIMARY && i->opcode != 0x8c && i->opcode != 0x8e;
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
        return !i->mem.present;
    default:
        return false;
    }
}
