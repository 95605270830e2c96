/*
 * One counter of the 8254, as a function of time. Intel 8254 data sheet, "Mode Definitions".
 *
 * `now` is always a tick count of the PIT's clock that never goes back. A count N written in tick t
 * is loaded in tick t+1; modes 2 and 3 take a new count over at the end of the running (half)
 * cycle; modes 1 and 5 start at a rising gate.
 */
#ifndef DEVICES_PIT_COUNTER_H
#define DEVICES_PIT_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

struct pit_counter {
    uint8_t mode; /* 0-5 */
    bool bcd;
    uint8_t access;  /* RW1:RW0: 1 low byte, 2 high byte, 3 low then high */
    bool write_high; /* access 3: the next write is the high byte */
    bool read_high;  /* access 3: the next read is the high byte */
    uint8_t write_low;
    bool count_latched, status_latched;
    uint16_t latch;
    uint8_t status;
    bool gate;
    bool running;        /* the counting element was loaded (modes 1, 5: triggered) */
    uint32_t count;      /* N, 2 or 1..65536 (10000 with BCD); 0 before the first count */
    uint32_t next_count; /* a written count that is not yet in use, 0: none */
    int64_t next_at;     /* when next_count is taken over, -1: at the next trigger */
    int64_t start;       /* tick at which N was loaded; may be fictitious and negative */
    int64_t stopped;     /* tick at which a low gate stopped counting, -1: counting */
    uint64_t edges;      /* rising edges of OUT since start that were taken */
};

/* Power-on: mode 0 without a count. */
void counter_reset(struct pit_counter *c, bool gate);
/* A control word with RW != 0 for this counter. */
void counter_control(struct pit_counter *c, uint8_t value);
/* A byte written to the counter's port. */
void counter_write(struct pit_counter *c, uint8_t value, int64_t now);
/* A byte read from it: latched status, latched count or the count itself. */
uint8_t counter_read(struct pit_counter *c, int64_t now);
void counter_latch(struct pit_counter *c, int64_t now);
void counter_latch_status(struct pit_counter *c, int64_t now);
void counter_set_gate(struct pit_counter *c, bool level, int64_t now);
bool counter_out(struct pit_counter *c, int64_t now);

/* Modes 2 and 3. */
bool counter_is_periodic(const struct pit_counter *c);
/* How many times OUT rose since this was last called (or since the counter was programmed). */
uint64_t counter_take_edges(struct pit_counter *c, int64_t now);
/* The tick of the first rising edge not yet taken, -1: none will come by itself. */
int64_t counter_next_edge(const struct pit_counter *c);

#endif
