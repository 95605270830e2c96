/* 8254 registers and the IRQ 0 side of counter 0; see pit.h. Counting is in pit_counter.c. */
#include "devices/pit.h"

#include <stddef.h>

#define CONTROL    3u
#define READ_BACK  3u
#define LATCH_ONLY 0u
/* Ticks missed while IRQ 0 was masked for longer than this are not owed: the guest did not want
 * them. Interrupt handlers mask it for shorter times. */
#define FORGET_NS 50000000u

static int64_t ticks_now(const struct pit *p) {
    return (int64_t)clock_to_ticks(clock_now(p->clock), PIT_HZ);
}

/* -- IRQ 0 -- */

static uint64_t period_ns(const struct pit *p) {
    return clock_from_ticks(p->counter[0].count, PIT_HZ);
}

/* A rising edge. In the periodic modes OUT falls again by itself; the line falls only here, so that
 * a request is not withdrawn from a guest that is late. */
static void pulse(struct pit *p) {
    irq_set(&p->irq, false);
    irq_set(&p->irq, true);
}

/* Turns the edges of OUT 0 up to now into interrupts, or into owed ones. */
static void deliver(struct pit *p, uint64_t now) {
    struct pit_counter *c = &p->counter[0];
    uint64_t fresh = counter_take_edges(c, (int64_t)clock_to_ticks(now, PIT_HZ));
    bool masked = pic_masked(p->pic, 0);
    if (masked && !p->masked)
        p->masked_at = now;
    p->masked = masked;
    if (!counter_is_periodic(c)) {
        if (fresh)
            pulse(p);
        return;
    }
    if (c->count == 0)
        return;
    tick_debt_add(&p->debt, fresh, period_ns(p));
    if (masked && now - p->masked_at > FORGET_NS && p->debt.owed > 1)
        p->debt.owed = 1;
    if (!pic_requested(p->pic, 0) && tick_debt_pay(&p->debt, now, period_ns(p)))
        pulse(p);
}

/* Sets the timer to when something may have to be done for IRQ 0. */
static void schedule(struct pit *p) {
    uint64_t at = CLOCK_NEVER;
    if (!pic_masked(p->pic, 0)) {
        int64_t edge = counter_next_edge(&p->counter[0]);
        if (p->debt.owed == 0)
            at = edge < 0 ? CLOCK_NEVER : clock_from_ticks((uint64_t)edge, PIT_HZ);
        else if (!pic_requested(p->pic, 0))
            at = tick_debt_due(&p->debt, period_ns(p));
        /* else the acknowledge comes first */
    }
    clock_timer_set(p->clock, &p->timer, at);
}

static void service(void *dev, uint64_t now) {
    deliver(dev, now);
    schedule(dev);
}

static void on_pic_observed(void *dev) {
    struct pit *p = dev;
    deliver(p, clock_now(p->clock));
}

static void on_pic_changed(void *dev) {
    on_pic_observed(dev);
    schedule(dev);
}

/* -- registers -- */

static void read_back(struct pit *p, uint8_t command, int64_t now) {
    for (unsigned i = 0; i < 3; i++) {
        if (!(command & 2u << i))
            continue;
        if (!(command & 0x20))
            counter_latch(&p->counter[i], now);
        if (!(command & 0x10))
            counter_latch_status(&p->counter[i], now);
    }
}

/* Counter 0 was programmed: its output, and with it the line, may be another. */
static void reprogrammed(struct pit *p) {
    irq_set(&p->irq, counter_out(&p->counter[0], ticks_now(p)));
    schedule(p);
}

static void write_control(struct pit *p, uint8_t value) {
    unsigned which = value >> 6;
    if (which == READ_BACK) {
        read_back(p, value, ticks_now(p));
    } else if ((value >> 4 & 3u) == LATCH_ONLY) {
        counter_latch(&p->counter[which], ticks_now(p));
    } else if (which == 0) {
        deliver(p, clock_now(p->clock));
        counter_control(&p->counter[0], value);
        p->debt.owed = 0;
        reprogrammed(p);
    } else {
        counter_control(&p->counter[which], value);
    }
}

static void write_count(struct pit *p, unsigned which, uint8_t value) {
    if (which == 0)
        deliver(p, clock_now(p->clock));
    counter_write(&p->counter[which], value, ticks_now(p));
    if (which != 0)
        return;
    if (counter_is_periodic(&p->counter[0]))
        schedule(p);
    else
        reprogrammed(p);
}

static uint32_t read_port(void *dev, uint16_t offset, unsigned size) {
    struct pit *p = dev;
    (void)size;
    if (offset == CONTROL)
        return 0xff; /* the control word cannot be read */
    return counter_read(&p->counter[offset], ticks_now(p));
}

static void write_port(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    (void)size;
    if (offset == CONTROL)
        write_control(dev, (uint8_t)value);
    else
        write_count(dev, offset, (uint8_t)value);
}

static const struct pio_ops pit_ops = {read_port, write_port, 1};

/* -- board -- */

bool pit_create(struct pit *p, struct bus *bus, struct vclock *clock, struct pic *pic) {
    *p = (struct pit){.clock = clock, .pic = pic, .irq = pic_input(pic, 0)};
    clock_timer_init(&p->timer, service, p);
    pic_set_watch(
        pic, 0,
        &(struct pic_watch){.observe = on_pic_observed, .changed = on_pic_changed, .dev = p});
    return bus_map_pio(bus, 0x40, 4, &pit_ops, p);
}

void pit_reset(struct pit *p) {
    for (unsigned i = 0; i < 3; i++)
        counter_reset(&p->counter[i], i < 2);
    p->debt = (struct tick_debt){0};
    write_control(p, 0x36);
    write_count(p, 0, 0);
    write_count(p, 0, 0);
    write_control(p, 0x54);
    write_count(p, 1, 18);
    write_control(p, 0xb6);
}

bool pit_out(struct pit *p, unsigned counter) {
    return counter_out(&p->counter[counter], ticks_now(p));
}

void pit_set_gate(struct pit *p, unsigned counter, bool level) {
    counter_set_gate(&p->counter[counter], level, ticks_now(p));
}
