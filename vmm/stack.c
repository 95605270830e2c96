/*
 * The stack: pushes, pops and frames, honouring the B bit of SS (SDM vol. 1 section 6.2.3).
 *
 * A 16-bit stack wraps at 64 KiB between pushes, so a frame may stand in two pieces.
 */
#include "vmm/stack.h"

#include "mmu/mmu.h"
#include "vmm/debug_trap.h"
#include "vmm/segment.h"

bool cpu_push(struct vcpu *v, uint32_t value, unsigned size) {
    const struct seg *ss = &v->seg[SEG_SS];
    uint32_t sp = (v->gpr[ESP] - size) & stack_mask(ss);

    if (!cpu_write(v, SEG_SS, sp, &value, size))
        return false;
    v->gpr[ESP] = stack_merge(ss, v->gpr[ESP], sp);
    return true;
}

bool cpu_pop(struct vcpu *v, uint32_t *value, unsigned size) {
    uint32_t word = 0;

    if (!cpu_read(v, SEG_SS, v->gpr[ESP] & stack_mask(&v->seg[SEG_SS]), &word, size))
        return false;
    *value = word;
    stack_release(v, size);
    return true;
}

/* Bytes of [sp, sp + n) below the point where a 16-bit stack wraps. */
static uint32_t bytes_before_wrap(const struct seg *ss, uint32_t sp, uint32_t n) {
    uint32_t mask = stack_mask(ss);

    return sp + (n - 1) > mask && mask == 0xffffu ? mask + 1 - sp : n;
}

/* Writes the frame's bytes, in two pieces where the stack wraps. */
static bool write_frame(struct vcpu *v, gla_t base, uint32_t sp, const uint8_t *bytes,
                        uint32_t first, uint32_t n, bool user) {
    if (first != n) {
        if (!mmu_probe(v, base + sp, first, MMU_W | (user ? MMU_USER : 0)) ||
            !mmu_write(v, base, bytes + first, n - first, user))
            return false;
    }
    return mmu_write(v, base + sp, bytes, first, user);
}

bool stack_push_frame(struct vcpu *v, const struct seg *ss, uint32_t *esp, const void *frame,
                      uint32_t n, unsigned size, bool user, uint32_t error) {
    uint32_t mask = stack_mask(ss);
    uint32_t sp = (*esp - n) & mask;
    uint32_t first = bytes_before_wrap(ss, sp, n);

    /* SP wraps between pushes, not within one */
    uint32_t astride = first != n ? first % size : 0;

    if (astride && !segment_span_ok(ss, mask + 1 - astride, size))
        return vcpu_raise_error(v, VEC_SS, error);
    if (!segment_span_ok(ss, sp, first) || (first != n && !segment_span_ok(ss, 0, n - first)))
        return vcpu_raise_error(v, VEC_SS, error);
    if (user && cpu_checks_alignment(v) && ((ss->base + sp) & (size - 1)))
        return vcpu_raise_error(v, VEC_AC, 0);
    if (!write_frame(v, ss->base, sp, frame, first, n, user)) {
        /* CR2 is that of the first push that faults, from the top down. */
        for (uint32_t off = n - size; off != 0; off -= size) {
            gla_t gla = ss->base + ((sp + off) & mask);

            if (!mmu_probe(v, gla, size, MMU_W | (user ? MMU_USER : 0)))
                break;
        }
        return false;
    }
    debug_note_access(v, ss->base + sp, first, true);
    if (first != n)
        debug_note_access(v, ss->base, n - first, true);
    *esp = stack_merge(ss, *esp, sp);
    return true;
}

bool stack_peek(struct vcpu *v, uint32_t skip, void *buf, uint32_t n, unsigned size) {
    const struct seg *ss = &v->seg[SEG_SS];
    uint32_t sp = (v->gpr[ESP] + skip) & stack_mask(ss);
    uint32_t first = bytes_before_wrap(ss, sp, n);
    uint32_t astride = first != n ? first % size : 0; /* as in stack_push_frame() */
    uint32_t whole = first - astride;

    if (whole && !cpu_read_parts(v, SEG_SS, sp, buf, whole, size))
        return false;
    if (astride && !segment_span_ok(ss, sp + whole, size))
        return vcpu_raise_error(v, VEC_SS, 0);
    if (astride && !cpu_read_parts(v, SEG_SS, sp + whole, (uint8_t *)buf + whole, astride, 1))
        return false;
    return first == n || cpu_read_parts(v, SEG_SS, 0, (uint8_t *)buf + first, n - first, size);
}
