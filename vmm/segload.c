/*
 * Callouts that load data segment registers: MOV Sreg, POP Sreg, LDS/LES/LFS/LGS/LSS.
 * Intel SDM vol. 2A LDS, vol. 2B MOV and POP.
 *
 * Translated code is keyed on what it assumed about segments; a load that keeps all of that goes
 * on without leaving it. Kernel entry paths reload DS, ES, FS and GS at every system call.
 */
#include "host/host.h"
#include "vmm/callout.h"
#include "vmm/segment.h"

/* Whether translated code takes more for granted about one than about the other. FS and GS are
 * looked at when they are used. */
static bool assumed_alike(unsigned sreg, const struct seg *a, const struct seg *b) {
    if (sreg >= SEG_FS)
        return true;
    if (sreg == SEG_SS && (a->attr ^ b->attr) & SEG_DB)
        return false;
    return segment_class(a, false) == segment_class(b, false);
}

/* Loads and says whether translated code may go on. *ok false: fault pending. */
static enum callout_result load(struct vcpu *v, unsigned sreg, uint16_t sel, bool *ok) {
    struct seg old = v->seg[sreg];

    *ok = cpu_load_seg(v, sreg, sel);
    if (!*ok)
        return CALLOUT_EXIT;
    if (!assumed_alike(sreg, &v->seg[sreg], &old))
        return CALLOUT_EXIT;
    if (!v->code_written)
        return CALLOUT_NEXT;
    /* The accessed bit went into a page with translated code. */
    v->code_written = false;
    return CALLOUT_EXIT;
}

static enum callout_result undefined_sreg(struct vcpu *v) {
    vcpu_raise(v, VEC_UD);
    return CALLOUT_EXIT;
}

/* After MOV SS and POP SS no interrupt or debug trap comes before the next instruction is done. */
static enum callout_result finish(struct vcpu *v, unsigned sreg, enum callout_result result) {
    if (sreg == SEG_SS) {
        v->shadow = SHADOW_MOV_SS;
        result = CALLOUT_EXIT;
    }
    if (result == CALLOUT_EXIT)
        v->eip = v->next_eip;
    return result;
}

enum callout_result callout_mov_to_sreg(struct vcpu *v, uint64_t arg) {
    unsigned sreg = CO_REG(arg);
    bool ok;

    if (sreg >= SEG_COUNT || sreg == SEG_CS)
        return undefined_sreg(v);

    enum callout_result result = load(v, sreg, (uint16_t)v->val, &ok);

    return ok ? finish(v, sreg, result) : CALLOUT_EXIT;
}

enum callout_result callout_pop_sreg(struct vcpu *v, uint64_t arg) {
    unsigned sreg = CO_REG(arg);
    uint32_t old_esp = v->gpr[ESP];
    uint32_t value;
    bool ok;

    if (sreg >= SEG_COUNT || sreg == SEG_CS)
        return undefined_sreg(v);
    if (!cpu_pop(v, &value, CO_OPSIZE(arg)))
        return CALLOUT_EXIT;

    enum callout_result result = load(v, sreg, (uint16_t)value, &ok);

    if (!ok) {
        v->gpr[ESP] = old_esp;
        return CALLOUT_EXIT;
    }
    return finish(v, sreg, result);
}

enum callout_result callout_load_far_ptr(struct vcpu *v, uint64_t arg) {
    unsigned sreg = CO_IMM(arg) & 7u;
    unsigned size = CO_OPSIZE(arg);
    uint8_t pointer[6] = {0};
    uint16_t sel;
    bool ok;

    if (sreg >= SEG_COUNT || sreg == SEG_CS || !CO_IS_MEM(arg))
        return undefined_sreg(v);
    if (!cpu_read_parts(v, CO_SEG(arg), v->ea, pointer, size + 2, size))
        return CALLOUT_EXIT;
    memcpy(&sel, pointer + size, sizeof sel);

    enum callout_result result = load(v, sreg, sel, &ok);

    if (!ok)
        return CALLOUT_EXIT;
    memcpy(&v->gpr[CO_REG(arg) & 7u], pointer, size);
    if (result == CALLOUT_EXIT)
        v->eip = v->next_eip;
    return result;
}
