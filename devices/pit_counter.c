/* One 8254 counter; see pit_counter.h. */
#include "devices/pit_counter.h"

#define STATUS_OUT  0x80u
#define STATUS_NULL 0x40u

bool counter_is_periodic(const struct pit_counter *c) {
    return c->mode == 2 || c->mode == 3;
}

static bool needs_trigger(const struct pit_counter *c) {
    return c->mode == 1 || c->mode == 5;
}

/* Ticks since the count was loaded; negative until then. */
static int64_t elapsed(const struct pit_counter *c, int64_t now) {
    return (c->stopped >= 0 ? c->stopped : now) - c->start;
}

/* Mode 3: OUT is high for the first (N+1)/2 ticks of a cycle. */
static int64_t high_half(uint32_t count) {
    return (count + 1) / 2;
}

static uint64_t edges_at(const struct pit_counter *c, int64_t now) {
    int64_t e = elapsed(c, now), n = c->count;
    if (!c->running || e < 0)
        return 0;
    if (counter_is_periodic(c))
        return (uint64_t)(e / n);
    return e >= n + (c->mode >= 4);
}

/* Takes over a count written in modes 2 and 3 once its time has come. Edges not yet taken stay so.
 */
static void advance(struct pit_counter *c, int64_t now) {
    if (c->next_count == 0 || c->next_at < 0 || now < c->next_at)
        return;
    int64_t at = c->next_at;
    uint64_t open = edges_at(c, at) - c->edges;
    bool falls = c->mode == 3 && elapsed(c, at) % c->count != 0;
    c->count = c->next_count;
    c->start = falls ? at - high_half(c->count) : at;
    c->next_count = 0;
    c->edges = edges_at(c, at) - open;
}

static bool out_at(const struct pit_counter *c, int64_t now) {
    int64_t e = elapsed(c, now), n = c->count;
    if (!c->running)
        return c->mode != 0;
    switch (c->mode) {
    case 0:
        return e >= n;
    case 1:
        return e < 0 || e >= n;
    case 2:
        return e < 0 || c->stopped >= 0 || e % n != n - 1;
    case 3:
        return e < 0 || c->stopped >= 0 || e % n < high_half(c->count);
    default:
        return e != n;
    }
}

bool counter_out(struct pit_counter *c, int64_t now) {
    advance(c, now);
    return out_at(c, now);
}

static uint16_t to_bcd(uint32_t value) {
    return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

/* A guest may write digits above 9; each counts what it weighs. */
static uint32_t from_bcd(uint32_t value) {
    return (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
}

/* The counting element as it would be read. */
static uint16_t value_at(const struct pit_counter *c, int64_t now) {
    int64_t e = elapsed(c, now), n = c->count, value = n;
    int64_t modulus = c->bcd ? 10000 : 65536;
    if (c->running && e >= 0) {
        if (c->mode == 2) {
            value = n - e % n;
        } else if (c->mode == 3) {
            int64_t in_cycle = e % n, half = high_half(c->count);
            value = (n & ~INT64_C(1)) - 2 * (in_cycle < half ? in_cycle : in_cycle - half);
        } else {
            value = (n - e % modulus + modulus) % modulus;
        }
    }
    value %= modulus;
    return c->bcd ? to_bcd((uint32_t)value) : (uint16_t)value;
}

/* -- programming -- */

void counter_reset(struct pit_counter *c, bool gate) {
    *c = (struct pit_counter){.access = 3, .gate = gate, .next_at = -1, .stopped = -1};
}

void counter_control(struct pit_counter *c, uint8_t value) {
    bool gate = c->gate;
    counter_reset(c, gate);
    c->access = value >> 4 & 3;
    c->mode = value >> 1 & 7;
    if (c->mode > 5)
        c->mode -= 4;
    c->bcd = value & 1;
}

static void load(struct pit_counter *c, uint32_t count, int64_t at) {
    c->count = count;
    c->next_count = 0;
    c->running = true;
    c->start = at;
    c->edges = 0;
    c->stopped = c->gate || needs_trigger(c) ? -1 : at;
}

/* Where the running cycle of mode 2, or half cycle of mode 3, ends. */
static int64_t cycle_end(const struct pit_counter *c, int64_t now) {
    int64_t e = elapsed(c, now), n = c->count;
    if (e < 0)
        return c->start;
    int64_t begin = now - e % n;
    if (c->mode == 3 && e % n < high_half(c->count))
        return begin + high_half(c->count);
    return begin + n;
}

static void set_count(struct pit_counter *c, uint16_t raw, int64_t now) {
    uint32_t count = c->bcd ? from_bcd(raw) : raw;
    if (count == 0)
        count = c->bcd ? 10000 : 65536;
    if (counter_is_periodic(c) && count < 2)
        count = 2; /* 1 is illegal there */
    if (needs_trigger(c)) {
        c->next_count = count;
        c->next_at = -1;
        if (c->count == 0)
            c->count = count;
    } else if (counter_is_periodic(c) && c->running) {
        c->next_count = count;
        c->next_at = c->stopped >= 0 ? -1 : cycle_end(c, now);
    } else {
        load(c, count, now + 1);
    }
}

void counter_write(struct pit_counter *c, uint8_t value, int64_t now) {
    advance(c, now);
    if (c->access == 1) {
        set_count(c, value, now);
    } else if (c->access == 2) {
        set_count(c, (uint16_t)(value << 8), now);
    } else if (!c->write_high) {
        c->write_low = value;
        c->write_high = true;
        if (c->mode == 0) { /* the first byte stops counting and OUT falls */
            c->running = false;
            c->edges = 0;
        }
    } else {
        c->write_high = false;
        set_count(c, (uint16_t)(value << 8 | c->write_low), now);
    }
}

void counter_latch(struct pit_counter *c, int64_t now) {
    advance(c, now);
    if (c->count_latched)
        return;
    c->latch = value_at(c, now);
    c->count_latched = true;
}

void counter_latch_status(struct pit_counter *c, int64_t now) {
    advance(c, now);
    if (c->status_latched)
        return;
    bool null_count = c->next_count || !c->running || elapsed(c, now) < 0;
    c->status = (uint8_t)((out_at(c, now) ? STATUS_OUT : 0) | (null_count ? STATUS_NULL : 0) |
                          c->access << 4 | c->mode << 1 | c->bcd);
    c->status_latched = true;
}

uint8_t counter_read(struct pit_counter *c, int64_t now) {
    advance(c, now);
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    uint16_t value = c->count_latched ? c->latch : value_at(c, now);
    bool high = c->access == 2 || (c->access == 3 && c->read_high);
    if (c->access == 3)
        c->read_high = !c->read_high;
    if (c->access != 3 || high)
        c->count_latched = false;
    return (uint8_t)(high ? value >> 8 : value);
}

void counter_set_gate(struct pit_counter *c, bool level, int64_t now) {
    advance(c, now);
    if (level == c->gate)
        return;
    c->gate = level;
    if (needs_trigger(c)) {
        if (level && c->count)
            load(c, c->next_count ? c->next_count : c->count, now + 1);
    } else if (!c->running) {
        return;
    } else if (!level) {
        c->stopped = now > c->start ? now : c->start;
        c->next_at = -1;
    } else if (counter_is_periodic(c)) {
        load(c, c->next_count ? c->next_count : c->count, now + 1);
    } else {
        c->start += now - c->stopped;
        c->stopped = -1;
    }
}

/* -- edges -- */

uint64_t counter_take_edges(struct pit_counter *c, int64_t now) {
    advance(c, now);
    uint64_t seen = edges_at(c, now), fresh = seen - c->edges;
    c->edges = seen;
    return fresh;
}

int64_t counter_next_edge(const struct pit_counter *c) {
    if (!c->running || c->stopped >= 0)
        return -1;
    if (!counter_is_periodic(c))
        return c->edges ? -1 : c->start + c->count + (c->mode >= 4);
    int64_t edge = c->start + (int64_t)(c->edges + 1) * c->count;
    if (c->next_count == 0 || c->next_at < 0 || edge <= c->next_at)
        return edge;
    struct pit_counter later = *c;
    advance(&later, c->next_at);
    return later.start + (int64_t)(later.edges + 1) * later.count;
}
