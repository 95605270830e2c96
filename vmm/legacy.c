/*
 * PUSHA, POPA, ENTER, and the instructions that only fault.
 * Intel SDM vol. 2A ENTER, vol. 2B POPA, PUSHA, UD.
 *
 * Nothing is changed before all of an instruction's accesses are known to succeed, but that ENTER
 * may leave words below the stack pointer when a frame pointer it copies faults.
 */
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/segment.h"
#include "vmm/stack.h"

/* -- PUSHA and POPA -- */

/* Stores value as element `index` of a frame of words of `size` bytes. */
static void frame_set(uint8_t *frame, unsigned index, uint32_t value, unsigned size) {
    memcpy(frame + (size_t)index * size, &value, size);
}

static uint32_t frame_get(const uint8_t *frame, unsigned index, unsigned size) {
    uint32_t value = 0;

    memcpy(&value, frame + (size_t)index * size, size);
    return value;
}

/* Real-address and virtual-8086 mode have an exception of their own for a stack pointer whose frame
 * would reach across the segment's start by odd bytes (SDM vol. 2B, PUSHA). */
static bool pusha_pointer_bad(const struct vcpu *v) {
    uint32_t sp = v->gpr[ESP] & (v->seg[SEG_SS].attr & SEG_DB ? 0xffffffffu : 0xffffu);

    return cpu_paragraph_mode(v) && sp >= 7 && sp <= 15 && sp % 2;
}

/* EAX is pushed first, so EDI stands lowest. */
enum callout_result callout_pusha(struct vcpu *v, uint64_t arg) {
    unsigned size = CO_OPSIZE(arg);
    uint8_t frame[8 * 4];

    if (pusha_pointer_bad(v))
        return callout_raise_error(v, VEC_GP, 0);
    for (unsigned reg = EAX; reg <= EDI; reg++)
        frame_set(frame, EDI - reg, v->gpr[reg], size);
    if (!stack_push_frame(v, &v->seg[SEG_SS], &v->gpr[ESP], frame, 8 * size, size, vcpu_user(v), 0))
        return CALLOUT_EXIT;
    return callout_wrote(v);
}

enum callout_result callout_popa(struct vcpu *v, uint64_t arg) {
    unsigned size = CO_OPSIZE(arg);
    uint8_t frame[8 * 4];

    if (!stack_peek(v, 0, frame, 8 * size, size))
        return CALLOUT_EXIT;
    for (unsigned reg = EAX; reg <= EDI; reg++) {
        if (reg != ESP)
            callout_set_reg(v, reg, frame_get(frame, EDI - reg, size), size);
    }
    stack_release(v, 8 * size);
    return CALLOUT_NEXT;
}

/* -- ENTER -- */

/* Checks the words that ENTER pushes, and the top of the stack it ends at (SDM: #SS, #PF). */
static bool enter_probe(struct vcpu *v, unsigned words, unsigned size, uint32_t bytes) {
    const struct seg *ss = &v->seg[SEG_SS];
    unsigned access = MMU_W | (vcpu_user(v) ? MMU_USER : 0);
    gla_t gla;

    for (unsigned i = 1; i <= words; i++) {
        if (!cpu_linear(v, SEG_SS, (v->gpr[ESP] - i * size) & stack_mask(ss), size, true, &gla) ||
            !mmu_probe(v, gla, size, access))
            return false;
    }

    uint32_t end = (v->gpr[ESP] - words * size - bytes) & stack_mask(ss);

    return cpu_linear(v, SEG_SS, end, size, true, &gla) && mmu_probe(v, gla, size, access);
}

enum callout_result callout_enter(struct vcpu *v, uint64_t arg) {
    const struct seg *ss = &v->seg[SEG_SS];
    unsigned size = CO_OPSIZE(arg);
    unsigned level = CO_IMM8(arg) & 31u;
    uint32_t bytes = CO_IMM(arg) & 0xffffu;
    unsigned words = level + 1;
    uint32_t old_esp = v->gpr[ESP];
    uint32_t bp = v->gpr[EBP];
    uint32_t frame_pointer = stack_merge(ss, old_esp, old_esp - size);

    if (!enter_probe(v, words, size, bytes))
        return CALLOUT_EXIT;
    if (!cpu_push(v, v->gpr[EBP], size))
        return CALLOUT_EXIT;
    for (unsigned i = 1; i <= level; i++) {
        uint32_t word = frame_pointer;

        if (i < level) {
            bp -= size;
            word = 0;
        }
        if ((i < level && !cpu_read(v, SEG_SS, bp & stack_mask(ss), &word, size)) ||
            !cpu_push(v, word, size)) {
            v->gpr[ESP] = old_esp;
            return CALLOUT_EXIT;
        }
    }
    callout_set_reg(v, EBP, frame_pointer, size);
    v->gpr[ESP] = stack_merge(ss, v->gpr[ESP], v->gpr[ESP] - bytes);
    return callout_wrote(v);
}

/* -- faults -- */

enum callout_result callout_undefined(struct vcpu *v, uint64_t arg) {
    (void)arg;
    if (LOG_ON(LOG_UNIMP))
        host_log("unimp: instruction at %04x:%08x @%08x", v->seg[SEG_CS].sel, v->eip,
                 v->seg[SEG_CS].base + v->eip);
    return callout_raise(v, VEC_UD);
}

enum callout_result callout_ud(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return callout_raise(v, VEC_UD);
}

enum callout_result callout_nm(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return callout_raise(v, VEC_NM);
}

enum callout_result callout_gp(struct vcpu *v, uint64_t arg) {
    (void)arg;
    return callout_raise_error(v, VEC_GP, 0);
}
