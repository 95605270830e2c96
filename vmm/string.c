/*
 * MOVS, STOS, LODS, CMPS, SCAS in checked form, with their repeat prefixes.
 *
 * Intel SDM vol. 2A/2B; vol. 1 section 7.3.9.2: a repeated instruction can be interrupted or fault
 * between elements, with ESI, EDI and ECX then exact and EIP at the instruction.
 *
 * Memory is worked on in stretches that stay in one page per operand; what has no host pointer
 * (MMIO, pages with code, elements across pages) goes element by element through the MMU. Elements
 * are moved in order, so that overlapping operands replicate as on a CPU.
 */
#include "host/host.h"
#include "mmu/mmu.h"
#include "vmm/callout_priv.h"
#include "vmm/string_priv.h"

/* -- driver -- */

/* Does between 1 and max elements and advances ESI and EDI. Returns how many; 0: fault pending.
 * *stop: the repeat condition ended the instruction with the last of them. */
typedef uint32_t (*step_fn)(struct vcpu *v, uint64_t arg, uint32_t max, bool *stop);

static enum callout_result run(struct vcpu *v, uint64_t arg, step_fn step) {
    uint32_t remaining = string_remaining(v, arg);
    bool stop = false;

    v->code_written = false;
    while (remaining && !stop) {
        uint32_t done = step(v, arg, v->stepping ? 1 : remaining, &stop);

        if (!done)
            return CALLOUT_EXIT;
        string_count_down(v, arg, done);
        remaining -= done;
        if (remaining && !stop && string_must_yield(v))
            return string_yield(v);
    }
    return callout_wrote(v);
}

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* The lowest byte of a span of n elements. */
static uint8_t *lowest(const struct vcpu *v, const struct string_span *s, uint32_t n,
                       uint32_t size) {
    return v->flags & EFL_DF ? s->ptr - (size_t)(n - 1) * size : s->ptr;
}

/* One element at gla that no span covers. */
static bool read_element(struct vcpu *v, gla_t gla, uint32_t size, uint32_t *value) {
    *value = 0;
    debug_note_access(v, gla, size, false);
    return mmu_read(v, gla, value, size, vcpu_user(v));
}

static bool write_element(struct vcpu *v, gla_t gla, uint32_t size, const uint32_t *value) {
    debug_note_access(v, gla, size, true);
    return mmu_write(v, gla, value, size, vcpu_user(v));
}

/* -- MOVS -- */

static void copy_elements(uint8_t *dst, const uint8_t *src, uint32_t n, uint32_t size,
                          ptrdiff_t step) {
    for (; n; n--, src += step, dst += step)
        string_store(dst, string_load(src, size), size);
}

static void copy_span(struct vcpu *v, const struct string_span *dst, const struct string_span *src,
                      uint32_t n, uint32_t size) {
    bool down = v->flags & EFL_DF;
    size_t bytes = (size_t)n * size;
    uint8_t *to = lowest(v, dst, n, size);
    const uint8_t *from = lowest(v, src, n, size);
    bool apart = to + bytes <= from || from + bytes <= to;

    /* An element written never changes one still to be read: as good as all at once. */
    if (apart || (down ? to >= from : to <= from))
        memmove(to, from, bytes);
    else
        copy_elements(dst->ptr, src->ptr, n, size, string_stride(v, size));
}

/* Both sides are checked before a device may see the read. */
static bool copy_element(struct vcpu *v, gla_t dst, gla_t src, uint32_t size) {
    unsigned user = vcpu_user(v) ? MMU_USER : 0;
    uint32_t value;

    return mmu_probe(v, src, size, MMU_R | user) && mmu_probe(v, dst, size, MMU_W | user) &&
           read_element(v, src, size, &value) && write_element(v, dst, size, &value);
}

/* The source is read first: its fault comes first, also where it has no span to show it. */
static bool source_ok(struct vcpu *v, const struct string_span *src, uint32_t size) {
    return src->count || mmu_probe(v, src->gla, size, MMU_R | (vcpu_user(v) ? MMU_USER : 0u));
}

static uint32_t movs_step(struct vcpu *v, uint64_t arg, uint32_t max, bool *stop) {
    uint32_t size = CO_OPSIZE(arg);
    struct string_span src, dst;

    (void)stop;
    if (!string_span(v, arg, CO_SEG(arg), ESI, MMU_R, max, &src) || !source_ok(v, &src, size) ||
        !string_span(v, arg, SEG_ES, EDI, MMU_W, max, &dst))
        return 0;

    uint32_t n = smaller(src.count, dst.count);

    if (n)
        copy_span(v, &dst, &src, n, size);
    else if (copy_element(v, dst.gla, src.gla, size))
        n = 1;
    else
        return 0;
    string_advance(v, arg, ESI, n);
    string_advance(v, arg, EDI, n);
    return n;
}

enum callout_result callout_movs(struct vcpu *v, uint64_t arg) {
    return run(v, arg, movs_step);
}

/* -- STOS and LODS -- */

static void fill(uint8_t *p, uint32_t value, uint32_t n, uint32_t size) {
    if (size == 1) {
        memset(p, (int)(value & 0xffu), n);
        return;
    }
    uint64_t count = n;
    if (size == 2)
        __asm__ volatile("rep stosw" : "+D"(p), "+c"(count) : "a"(value) : "memory");
    else
        __asm__ volatile("rep stosl" : "+D"(p), "+c"(count) : "a"(value) : "memory");
}

static uint32_t stos_step(struct vcpu *v, uint64_t arg, uint32_t max, bool *stop) {
    uint32_t size = CO_OPSIZE(arg);
    struct string_span dst;

    (void)stop;
    if (!string_span(v, arg, SEG_ES, EDI, MMU_W, max, &dst))
        return 0;

    uint32_t n = dst.count;

    if (n)
        fill(lowest(v, &dst, n, size), v->gpr[EAX], n, size);
    else if (write_element(v, dst.gla, size, &v->gpr[EAX]))
        n = 1;
    else
        return 0;
    string_advance(v, arg, EDI, n);
    return n;
}

enum callout_result callout_stos(struct vcpu *v, uint64_t arg) {
    return run(v, arg, stos_step);
}

/* Of a repeated LODS only the last element stays. */
static uint32_t lods_step(struct vcpu *v, uint64_t arg, uint32_t max, bool *stop) {
    uint32_t size = CO_OPSIZE(arg);
    struct string_span src;
    uint32_t value;

    (void)stop;
    if (!string_span(v, arg, CO_SEG(arg), ESI, MMU_R, max, &src))
        return 0;

    uint32_t n = src.count;

    if (n)
        value = string_load(src.ptr + (ptrdiff_t)(n - 1) * string_stride(v, size), size);
    else if (read_element(v, src.gla, size, &value))
        n = 1;
    else
        return 0;
    callout_set_reg(v, EAX, value, size);
    string_advance(v, arg, ESI, n);
    return n;
}

enum callout_result callout_lods(struct vcpu *v, uint64_t arg) {
    return run(v, arg, lods_step);
}

/* -- CMPS and SCAS -- */

/* Sets the arithmetic flags as CMP a, b of this size does. */
static void compare(struct vcpu *v, uint32_t a, uint32_t b, uint32_t size) {
    unsigned top = 8 * size - 1;
    uint32_t diff = a - b;
    uint32_t flags = v->flags & ~EFL_ARITH;

    if (size < 4) {
        uint32_t mask = (2u << top) - 1;

        a &= mask;
        b &= mask;
        diff &= mask;
    }
    if (a < b)
        flags |= EFL_CF;
    if (!__builtin_parity(diff & 0xffu))
        flags |= EFL_PF;
    if ((a ^ b ^ diff) & 0x10u)
        flags |= EFL_AF;
    if (diff == 0)
        flags |= EFL_ZF;
    if (diff >> top & 1u)
        flags |= EFL_SF;
    if (((a ^ b) & (a ^ diff)) >> top & 1u)
        flags |= EFL_OF;
    v->flags = flags;
}

/* Does a result of equal or not end the repetition? */
static bool ends(uint64_t arg, bool equal) {
    return equal ? CO_REP(arg) == CO_REP_NE : CO_REP(arg) == CO_REP_E;
}

static uint32_t cmps_step(struct vcpu *v, uint64_t arg, uint32_t max, bool *stop) {
    uint32_t size = CO_OPSIZE(arg);
    struct string_span src, dst;
    uint32_t a, b, n = 1;

    if (!string_span(v, arg, CO_SEG(arg), ESI, MMU_R, max, &src) || !source_ok(v, &src, size) ||
        !string_span(v, arg, SEG_ES, EDI, MMU_R, max, &dst))
        return 0;

    uint32_t limit = smaller(src.count, dst.count);

    if (limit) {
        ptrdiff_t at = 0;

        for (n = 1;; n++, at += string_stride(v, size)) {
            a = string_load(src.ptr + at, size);
            b = string_load(dst.ptr + at, size);
            if (n == limit || ends(arg, a == b))
                break;
        }
    } else if (!read_element(v, src.gla, size, &a) || !read_element(v, dst.gla, size, &b)) {
        return 0;
    }
    compare(v, a, b, size);
    *stop = ends(arg, a == b);
    string_advance(v, arg, ESI, n);
    string_advance(v, arg, EDI, n);
    return n;
}

enum callout_result callout_cmps(struct vcpu *v, uint64_t arg) {
    return run(v, arg, cmps_step);
}

static uint32_t scas_step(struct vcpu *v, uint64_t arg, uint32_t max, bool *stop) {
    uint32_t size = CO_OPSIZE(arg);
    uint32_t a = string_load((const uint8_t *)&v->gpr[EAX], size);
    struct string_span dst;
    uint32_t b, n = 1;

    if (!string_span(v, arg, SEG_ES, EDI, MMU_R, max, &dst))
        return 0;
    if (dst.count) {
        ptrdiff_t at = 0;

        for (n = 1;; n++, at += string_stride(v, size)) {
            b = string_load(dst.ptr + at, size);
            if (n == dst.count || ends(arg, a == b))
                break;
        }
    } else if (!read_element(v, dst.gla, size, &b)) {
        return 0;
    }
    compare(v, a, b, size);
    *stop = ends(arg, a == b);
    string_advance(v, arg, EDI, n);
    return n;
}

enum callout_result callout_scas(struct vcpu *v, uint64_t arg) {
    return run(v, arg, scas_step);
}
