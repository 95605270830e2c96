/*
 * Shapes (insn_shape.h). Intel SDM vol. 2A section 2.1: instruction format, vol. 2D appendix A.2:
 * which opcodes have a ModRM byte.
 */
#include "bt/insn_shape.h"

#include "host/host.h"

enum { LEAD_SHIFT = 48, MODE_SHIFT = 56, PREFIXES_MAX = 2 };

/* Bit b of word n is opcode 32 n + b. */
static const uint32_t modrm_primary[8] = {0x0f0f0f0f, 0x0f0f0f0f, 0x00000000, 0x00000a0c,
                                          0x0000ffff, 0x00000000, 0xff0f00f3, 0xc0c00000};
static const uint32_t modrm_0f[8] = {0xffff200f, 0x0000ff0f, 0xffffffff, 0xff7fffff,
                                     0xffff0000, 0xfffff838, 0xffff00ff, 0xffffffff};
static const uint32_t is_prefix[8] = {0x00000000, 0x40404040, 0x00000000, 0x000000f0,
                                      0x00000000, 0x00000000, 0x00000000, 0x000d0000};

static bool has(const uint32_t *set, uint8_t byte) {
    return set[byte / 32] >> (byte % 32) & 1;
}

uint64_t shape_key(const uint8_t *bytes, unsigned mode, bool address16) {
    const uint32_t *with_modrm = modrm_primary;
    unsigned n = 0;
    uint64_t key;

    for (; n < PREFIXES_MAX && has(is_prefix, bytes[n]); n++)
        address16 ^= bytes[n] == 0x67;
    uint8_t opcode = bytes[n++];
    if (opcode == 0x0f) {
        with_modrm = modrm_0f;
        opcode = bytes[n++];
    }
    if (has(with_modrm, opcode)) {
        uint8_t modrm = bytes[n++];
        if (!address16 && (modrm & 7) == 4 && modrm < 0xc0)
            n++; /* SIB */
    }
    memcpy(&key, bytes, sizeof key);
    key &= (1ull << 8 * n) - 1;
    return key | (uint64_t)n << LEAD_SHIFT | (uint64_t)mode << MODE_SHIFT;
}

/* The table is in pairs; the younger shape stands first. */
static size_t pair_of(uint64_t key) {
    return key * 0x9e3779b97f4a7c15u >> 32 & (SHAPES - 2);
}

const struct insn *shape_find(const struct insn_shapes *s, uint64_t key) {
    size_t n = pair_of(key);

    __builtin_prefetch(&s->insn[n]); /* while the keys are on their way */
    if (s->key[n] == key)
        return &s->insn[n];
    return s->key[n + 1] == key ? &s->insn[n + 1] : NULL;
}

/* It does not where the guess was wrong, or where there is more than a displacement and an
 * immediate.
 */
bool shape_fits(uint64_t key, const struct insn *i) {
    return i->lead_bytes == (uint8_t)(key >> LEAD_SHIFT) &&
           i->lead_bytes + i->disp_bytes + i->imm_bytes == i->length;
}

void shape_keep(struct insn_shapes *s, uint64_t key, const struct insn *i) {
    size_t n = pair_of(key);

    if (!shape_fits(key, i))
        return;
    s->key[n + 1] = s->key[n];
    s->insn[n + 1] = s->insn[n];
    s->key[n] = key;
    s->insn[n] = *i;
}

/* n is 0, 1, 2 or 4. */
static uint32_t value(const uint8_t *bytes, unsigned n, bool with_sign) {
    uint16_t word;
    uint32_t dword;

    switch (n) {
    case 0:
        return 0;
    case 1:
        return with_sign ? (uint32_t)(int8_t)*bytes : *bytes;
    case 2:
        memcpy(&word, bytes, sizeof word);
        return with_sign ? (uint32_t)(int16_t)word : word;
    default:
        memcpy(&dword, bytes, sizeof dword);
        return dword;
    }
}

void shape_apply(const struct insn *shape, const uint8_t *bytes, struct insn *out) {
    const uint8_t *rest = bytes + shape->lead_bytes;

    *out = *shape;
    if (out->mem.present)
        out->mem.disp = (int32_t)value(rest, out->disp_bytes, true);
    out->imm = value(rest + out->disp_bytes, out->imm_bytes, out->imm_signed);
}
