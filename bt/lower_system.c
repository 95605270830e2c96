/*
 * System instructions: calls to the VMM, and CLI, STI and RDTSC at CPL 0 in line.
 */
#include "bt/lower.h"
#include "bt/translation.h"

/* Callouts behind which no instruction of the block can follow. */
static bool always_leaves(callout_fn fn) {
    static const callout_fn leaving[] = {
        callout_iret,      callout_int_n,   callout_int3, callout_int1,
        callout_sysenter,  callout_sysexit, callout_hlt,  callout_ud,
        callout_undefined, callout_nm,      callout_gp,
    };
    for (unsigned k = 0; k < sizeof leaving / sizeof leaving[0]; k++)
        if (leaving[k] == fn)
            return true;
    return false;
}

/* String, IN/OUT and INS/OUTS forms carry "byte or not" in the opcode's low bit. */
static bool width_in_opcode(const struct insn *i) {
    return i->map == MAP_PRIMARY &&
           ((i->opcode >= 0xa4 && i->opcode <= 0xaf) || (i->opcode >= 0xe4 && i->opcode <= 0xef) ||
            (i->opcode >= 0x6c && i->opcode <= 0x6f));
}

static unsigned far_pointer_sreg(const struct insn *i) {
    if (i->map == MAP_PRIMARY)
        return i->opcode == 0xc4 ? SEG_ES : SEG_DS;
    return i->opcode == 0xb2 ? SEG_SS : i->opcode == 0xb4 ? SEG_FS : SEG_GS;
}

uint64_t lower_callout_arg(struct translation *t, const struct insn *i) {
    unsigned opsize = width_in_opcode(i) && !(i->opcode & 1) ? 1 : i->opsize;
    uint64_t arg = (uint64_t)(i->modrm_reg & 15u) | (uint64_t)i->mem.seg << 9 |
                   (uint64_t)(opsize & 15u) << 12 | (uint64_t)(i->mem.adsize & 15u) << 16 |
                   (uint64_t)i->rep << 20 | (uint64_t)(i->imm2 & 0xff) << 24 |
                   (uint64_t)i->imm << 32;

    if (i->mem.present) {
        struct ea a = ea_of(t, i);
        ea_emit(t, &a, R8);
        emit_store(&t->e, MOP_VCPU(ea), R8);
        arg |= 1u << 8;
    } else {
        arg |= (uint64_t)(i->modrm_rm & 15u) << 4;
    }
    if (i->row->callout == callout_in || i->row->callout == callout_out) {
        arg &= ~0xf0ull;
        if (i->opcode >= 0xec)
            arg |= 1u << 4;
    }
    if (i->row->callout == callout_load_far_ptr)
        arg = (arg & UINT32_MAX) | (uint64_t)far_pointer_sreg(i) << 32;
    return arg;
}

void lower_callout(struct translation *t, const struct insn *i) {
    exit_callout(t, i->row->callout, lower_callout_arg(t, i));
    if (always_leaves(i->row->callout))
        t->ended = true;
}

static bool inline_if(const struct translation *t) {
    return (t->key & KEY_CPL) == 0 && !(t->key & KEY_REAL) && !translation_single(t);
}

void lower_cli(struct translation *t, const struct insn *i) {
    if (inline_if(t))
        emit_store_imm(&t->e, MOP_VCPU(ifl), 0);
    else
        exit_callout(t, callout_cli, lower_callout_arg(t, i));
}

/* R13 is reloaded so that an interrupt that waited for IF is seen; not before the next instruction
 * is done (SDM vol. 2, STI): the poll comes behind it. */
void lower_sti(struct translation *t, const struct insn *i) {
    if (!inline_if(t)) {
        exit_callout(t, callout_sti, lower_callout_arg(t, i));
        return;
    }
    emit_store_imm(&t->e, MOP_VCPU(ifl), EFL_IF);
    emit_load64(&t->e, REG_JUMP_CACHE, MOP_VCPU(jc_sti));
    emit_store64(&t->e, MOP_VCPU(jc_now), REG_JUMP_CACHE); /* callouts load it from there */
    /* a second STI does not start the shadow anew */
    if (!t->poll_in)
        t->poll_in = POLL_BEHIND_NEXT;
}

/* RDTSC at CPL 0, where CR4.TSD plays no part: the host's and v->tsc_offset, by LEA because of the
 * flags. */
void lower_rdtsc(struct translation *t, const struct insn *i) {
    struct emit *e = &t->e;
    struct mop low = MOP_VCPU(pointer), high = low;

    if (!inline_if(t)) {
        exit_callout(t, callout_rdtsc, lower_callout_arg(t, i));
        return;
    }
    high.disp += 4;
    emit_u8(e, 0x0f); /* rdtsc */
    emit_u8(e, 0x31);
    emit_store(e, low, RAX);
    emit_store(e, high, RDX);
    emit_load64(e, R8, low);
    emit_load64(e, R9, MOP_VCPU(tsc_offset));
    emit_lea64(e, R8, (struct mop){.base = R8, .index = R9});
    emit_store64(e, low, R8);
    emit_load(e, RAX, low);
    emit_load(e, RDX, high);
}
