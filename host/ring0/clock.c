/*
 * Time (clock.h, host/host.h).
 *
 * host_clock_ns() scales the TSC by a factor measured at start-up: 50 ms of the PIT's channel 2,
 * gated through port 61h (Intel 8254 datasheet, mode 0; ICH datasheets, NMI status and control).
 * The local APIC's timer gives one interrupt at the earlier of the deadline that host_timer_arm
 * asked for and the next regular kick.
 */
#include "host/ring0/clock.h"

#include "host/host.h"
#include "host/ring0/control.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/lapic.h"
#include "host/ring0/limit.h"
#include "host/ring0/rtc.h"
#include "host/ring0/serial.h"
#include "host/ring0/service.h"

enum {
    PIT_CHANNEL2 = 0x42,
    PIT_MODE = 0x43,
    PIT_CHANNEL2_MODE0 = 0xb0,
    PORT_61 = 0x61,
    GATE2 = 1,
    SPEAKER = 2,
    OUT2 = 0x20,
    PIT_HZ = 1193182,
    MEASURE_TICKS = PIT_HZ / 20,
    SHIFT = 32,
    TRIES_MAX = 100000000,
};

#define NS_PER_S 1000000000ull

static uint64_t poll_ns = 10000000; /* between regular kicks */
static uint64_t tsc_start, tsc_hz;
static uint64_t ns_per_tsc;   /* 2^SHIFT times */
static uint64_t apic_per_ns;  /* 2^SHIFT times */
static int64_t wall_at_start; /* seconds since 1970 */
static volatile uint64_t deadline = UINT64_MAX, next_poll = UINT64_MAX;
static volatile bool rung; /* a kick has been asked for since clock_wait began */

static uint64_t scale(uint64_t n, uint64_t factor) {
    return (uint64_t)((unsigned __int128)n * factor >> SHIFT);
}

/* Sets the timer to what comes first. An interrupt in between sets it again; the earlier of the two
 * wins or fires early, which does no harm. */
static void program(uint64_t now) {
    uint64_t first = deadline < next_poll ? deadline : next_poll;

    if (first == UINT64_MAX) {
        lapic_timer_set(0);
        return;
    }
    uint64_t ns = first > now ? first - now : 0;
    uint64_t ticks = ns < NS_PER_S ? scale(ns, apic_per_ns) + 1 : scale(NS_PER_S, apic_per_ns);
    lapic_timer_set(ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}

void clock_kick_every(uint64_t ns) {
    poll_ns = ns;
}

bool clock_init(void) {
    uint8_t control = in8(PORT_61) & (uint8_t) ~(SPEAKER | GATE2);
    unsigned tries = 0;

    out8(PORT_61, control);
    out8(PIT_MODE, PIT_CHANNEL2_MODE0);
    out8(PIT_CHANNEL2, MEASURE_TICKS & 0xff);
    out8(PIT_CHANNEL2, MEASURE_TICKS >> 8);
    lapic_timer_set(UINT32_MAX);
    uint64_t tsc = rdtsc();
    uint32_t apic = lapic_timer_left();
    out8(PORT_61, control | GATE2);
    while (!(in8(PORT_61) & OUT2))
        if (++tries == TRIES_MAX)
            return false;
    uint64_t tsc_ticks = rdtsc() - tsc;
    uint32_t apic_ticks = apic - lapic_timer_left();
    lapic_timer_set(0);
    out8(PORT_61, control);
    if (tsc_ticks == 0 || apic_ticks == 0)
        return false;

    tsc_hz = tsc_ticks * PIT_HZ / MEASURE_TICKS;
    ns_per_tsc = (NS_PER_S << SHIFT) / tsc_hz;
    uint64_t apic_hz = (uint64_t)apic_ticks * PIT_HZ / MEASURE_TICKS;
    apic_per_ns = (apic_hz << SHIFT) / NS_PER_S;
    tsc_start = rdtsc();
    wall_at_start = rtc_read();
    next_poll = poll_ns; /* also a guest that never sets a timer is looked after */
    program(0);
    return true;
}

uint64_t host_clock_ns(void) {
    return scale(rdtsc() - tsc_start, ns_per_tsc);
}

uint64_t host_tsc_hz(void) {
    return tsc_hz;
}

int64_t host_wall_seconds(void) {
    return wall_at_start + (int64_t)(host_clock_ns() / NS_PER_S);
}

void host_timer_arm(uint64_t deadline_ns) {
    uint64_t now = host_clock_ns();

    if (deadline_ns == deadline && deadline_ns > now)
        return;
    deadline = deadline_ns;
    if (next_poll == UINT64_MAX)
        next_poll = now + poll_ns;
    program(now);
}

bool clock_interrupt(void) {
    uint64_t now = host_clock_ns();
    bool due = false;

    if (now >= deadline) {
        deadline = UINT64_MAX;
        due = true;
    }
    if (now >= next_poll) {
        next_poll = now + poll_ns;
        due = true;
        serial_pump();
    }
    rung |= due;
    program(now);
    return due;
}

void clock_wait(uint64_t deadline_ns) {
    serial_pump();
    rung = false;
    /* an idle guest is not disturbed by the regular kick */
    next_poll = UINT64_MAX;
    if (deadline_ns < deadline)
        deadline = deadline_ns;
    program(host_clock_ns());
    while (!rung && !serial_news() && !control_pending() && host_clock_ns() < deadline_ns)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    next_poll = host_clock_ns() + poll_ns;
    program(host_clock_ns());
}

void host_wait(uint64_t deadline_ns) {
    uint64_t end = limit_end();

    service_call(SERVICE_WAIT, end < deadline_ns ? end : deadline_ns, 0);
}
