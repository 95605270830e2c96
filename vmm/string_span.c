/*
 * Finds how far a string instruction's operand reaches in plain memory.
 * Intel SDM vol. 3A section 5.3 (limits), vol. 1 section 7.3.9 (string instructions).
 */
#include "mmu/mmu.h"
#include "vmm/cpu.h"
#include "vmm/string_priv.h"

static uint32_t at_most(uint32_t n, uint64_t limit) {
    return n < limit ? n : (uint32_t)limit;
}

/* Whole elements from `at` within [0, last], in the direction of the instruction. The element at
 * `at` itself need not fit. */
static uint64_t elements_within(uint32_t at, uint32_t last, uint32_t size, bool down) {
    if (at > last || last - at < size - 1)
        return 0;
    return down ? (uint64_t)at / size + 1 : ((uint64_t)last - at + 1) / size;
}

bool string_span(struct vcpu *v, uint64_t arg, unsigned sreg, unsigned reg, unsigned access,
                 uint32_t max, struct string_span *span) {
    const struct seg *s = &v->seg[sreg];
    gva_t off = string_offset(v, arg, reg);
    uint32_t size = CO_OPSIZE(arg);
    bool down = v->flags & EFL_DF;
    bool expand_down = (s->attr & (SEG_CODE | SEG_E)) == SEG_E;

    span->count = 0;
    if (!cpu_linear(v, sreg, off, size, access == MMU_W, &span->gla))
        return false;
    if (expand_down)
        return true;

    uint32_t n = max;

    n = at_most(n, elements_within(off, string_mask(arg), size, down));
    n = at_most(n, elements_within(off, s->limit, size, down));
    n = at_most(n, elements_within(span->gla & ~PAGE_MASK, PAGE_SIZE - 1, size, down));
    if (n == 0 || v->watching) /* element by element, each is looked at */
        return true;
    span->ptr = mmu_page_ptr(v, span->gla, access | (vcpu_user(v) ? MMU_USER : 0));
    if (span->ptr)
        span->count = n;
    return span->ptr || !v->exc.pending;
}
