/*
 * Matching of breakpoints and raising of debug exceptions; see debug_trap.h.
 * Intel SDM vol. 3B sections 17.2.4 (DR7), 17.2.5 (lengths and alignment), 17.3.1 (#DB).
 */
#include "vmm/debug_trap.h"

enum { BREAKPOINTS = 4 };
enum { ON_EXECUTION, ON_WRITE, ON_IO, ON_ACCESS };

/* A breakpoint of DR7, its address aligned to its length. */
struct breakpoint {
    bool enabled;
    unsigned condition;
    uint32_t start, length;
};

static struct breakpoint breakpoint(const struct vcpu *v, unsigned i) {
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    unsigned control = v->dr[7] >> (16 + 4 * i) & 0xfu;
    uint32_t length = lengths[control >> 2];

    return (struct breakpoint){.enabled = v->dr[7] >> (2 * i) & 3u,
                               .condition = control & 3u,
                               .start = v->dr[i] & ~(length - 1),
                               .length = length};
}

/* Does [at, at + n) touch the breakpoint? Addresses wrap at 4 GiB. */
static bool touches(const struct breakpoint *b, uint32_t at, uint32_t n) {
    return at - b->start < b->length || b->start - at < n;
}

void debug_dr7_changed(struct vcpu *v) {
    v->watching = false;
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        struct breakpoint b = breakpoint(v, i);

        if (b.enabled && (b.condition == ON_WRITE || b.condition == ON_ACCESS))
            v->watching = true;
    }
}

uint32_t debug_code_hits(const struct vcpu *v, gla_t gla) {
    uint32_t hits = 0;

    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        struct breakpoint b = breakpoint(v, i);

        if (b.enabled && b.condition == ON_EXECUTION && b.start == gla)
            hits |= 1u << i;
    }
    return hits;
}

void debug_note_watched(struct vcpu *v, gla_t gla, uint32_t n, bool write) {
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        struct breakpoint b = breakpoint(v, i);
        bool concerned = b.condition == ON_ACCESS || (b.condition == ON_WRITE && write);

        if (b.enabled && concerned && touches(&b, gla, n))
            v->dr6_hits |= 1u << i;
    }
}

void debug_note_io(struct vcpu *v, uint16_t port, uint32_t n) {
    if (!debug_armed(v) || !(v->cr4 & CR4_DE))
        return;
    for (unsigned i = 0; i < BREAKPOINTS; i++) {
        struct breakpoint b = breakpoint(v, i);

        if (b.enabled && b.condition == ON_IO && touches(&b, port, n))
            v->dr6_hits |= 1u << i;
    }
}

void debug_raise(struct vcpu *v, uint32_t dr6_bits) {
    v->dr[6] |= dr6_bits;
    vcpu_raise(v, VEC_DB);
}

void debug_raise_switched(struct vcpu *v, bool steps) {
    uint32_t bits = DR6_BT | v->dr6_hits | (steps && v->stepping ? DR6_BS : 0);

    v->dr6_hits = 0;
    v->stepping = false;
    debug_raise(v, bits);
}

void debug_raise_due(struct vcpu *v) {
    uint32_t bits = v->dr6_hits | (v->stepping ? DR6_BS : 0);

    v->dr6_hits = 0;
    v->stepping = false;
    if (bits)
        debug_raise(v, bits);
}
