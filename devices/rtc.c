/* MC146818: registers, interrupts, CMOS contents; see rtc.h. */
#include "devices/rtc.h"

#include "devices/rtc_time.h"
#include "host/host.h"

#define A_UIP     0x80u
#define A_DV_RUN  0x20u /* 32.768 kHz time base; the only one a PC has */
#define A_DV_HALT 0x60u /* 11x holds the divider chain in reset */
#define A_RS      0x0fu
#define B_SET     0x80u
#define B_PIE     0x40u
#define B_AIE     0x20u
#define B_UIE     0x10u
#define B_SQWE    0x08u
#define C_IRQF    0x80u
#define C_PF      0x40u
#define C_AF      0x20u
#define C_UF      0x10u
#define D_VRT     0x80u

#define OSCILLATOR_HZ 32768u
#define UIP_NS        (244000u + 1984000u)
#define FIRST_UPDATE  500000000u /* after the divider leaves reset */
#define IRQ           8u

/* -- time -- */

static bool divider_runs(const struct rtc *r) {
    return (r->cmos[RTC_A] & A_DV_HALT) != A_DV_HALT;
}

static bool updates(const struct rtc *r) {
    return divider_runs(r) && !(r->cmos[RTC_B] & B_SET);
}

/* log2 of the periodic interrupt's length in oscillator ticks; 0: none (data sheet table 5). */
static unsigned period_shift(const struct rtc *r) {
    unsigned rs = r->cmos[RTC_A] & A_RS;
    if (rs == 0 || !divider_runs(r))
        return 0;
    return rs <= 2 ? rs + 6 : rs - 1;
}

static uint64_t period_ns(const struct rtc *r) {
    return clock_from_ticks(UINT64_C(1) << period_shift(r), OSCILLATOR_HZ);
}

static uint64_t periods_at(const struct rtc *r, uint64_t now) {
    unsigned shift = period_shift(r);
    return shift ? clock_to_ticks(now - r->divider_ns, OSCILLATOR_HZ) >> shift : 0;
}

static void advance_seconds(struct rtc *r, uint64_t now) {
    if (now < r->second_ns + NS_PER_SECOND)
        return;
    uint64_t n = (now - r->second_ns) / NS_PER_SECOND;
    r->second_ns += n * NS_PER_SECOND;
    if (!updates(r))
        return;
    uint32_t alarm = rtc_time_until_alarm(r->cmos);
    if (alarm && alarm <= n)
        r->cmos[RTC_C] |= C_AF;
    r->cmos[RTC_C] |= C_UF;
    rtc_time_add(r->cmos, n);
}

static void advance_periods(struct rtc *r, uint64_t now) {
    uint64_t total = periods_at(r, now), fresh = total - r->periods;
    r->periods = total;
    if (period_shift(r) == 0)
        return;
    if (!(r->cmos[RTC_B] & B_PIE)) {
        if (fresh)
            r->cmos[RTC_C] |= C_PF;
        return;
    }
    tick_debt_add(&r->debt, fresh, period_ns(r));
    if (!(r->cmos[RTC_C] & C_PF) && tick_debt_pay(&r->debt, now, period_ns(r)))
        r->cmos[RTC_C] |= C_PF;
}

/* -- interrupts -- */

static bool requests(const struct rtc *r) {
    return r->cmos[RTC_B] & r->cmos[RTC_C] & (C_PF | C_AF | C_UF);
}

static void update_line(struct rtc *r) {
    r->cmos[RTC_C] = (uint8_t)((r->cmos[RTC_C] & ~C_IRQF) | (requests(r) ? C_IRQF : 0));
    irq_set(&r->irq, requests(r));
}

static void sync(struct rtc *r, uint64_t now) {
    advance_seconds(r, now);
    advance_periods(r, now);
    update_line(r);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Sets the timer to the next event that raises the line. After sync. */
static void schedule(struct rtc *r) {
    uint8_t enabled = r->cmos[RTC_B] & (uint8_t)~r->cmos[RTC_C];
    uint64_t at = CLOCK_NEVER;
    if (!requests(r) && !pic_masked(r->pic, IRQ)) {
        if ((enabled & B_PIE) && period_shift(r)) {
            uint64_t tick = (r->periods + 1) << period_shift(r);
            at = r->debt.owed ? tick_debt_due(&r->debt, period_ns(r))
                              : r->divider_ns + clock_from_ticks(tick, OSCILLATOR_HZ);
        }
        if ((enabled & B_UIE) && updates(r))
            at = earlier(at, r->second_ns + NS_PER_SECOND);
        uint32_t alarm = rtc_time_until_alarm(r->cmos);
        if ((enabled & B_AIE) && updates(r) && alarm)
            at = earlier(at, r->second_ns + (uint64_t)alarm * NS_PER_SECOND);
    }
    clock_timer_set(r->clock, &r->timer, at);
}

static void on_timer(void *dev, uint64_t now) {
    sync(dev, now);
    schedule(dev);
}

static void on_pic_observed(void *dev) {
    struct rtc *r = dev;
    sync(r, clock_now(r->clock));
}

static void on_pic_changed(void *dev) {
    struct rtc *r = dev;
    on_timer(r, clock_now(r->clock));
}

/* -- registers -- */

static void write_a(struct rtc *r, uint8_t value, uint64_t now) {
    bool ran = divider_runs(r);
    r->cmos[RTC_A] = value & (uint8_t)~A_UIP;
    if (!ran && divider_runs(r)) {
        r->divider_ns = now;
        r->second_ns = now + FIRST_UPDATE - NS_PER_SECOND;
    }
    r->periods = periods_at(r, now);
    r->debt.owed = 0;
}

static void write_b(struct rtc *r, uint8_t value) {
    if (value & B_SET)
        value &= (uint8_t)~B_UIE;
    if (!(value & B_PIE))
        r->debt.owed = 0;
    r->cmos[RTC_B] = value;
}

static uint8_t read_register(struct rtc *r, uint64_t now) {
    uint8_t value = r->cmos[r->index];
    if (r->index == RTC_A && updates(r) && now + UIP_NS >= r->second_ns + NS_PER_SECOND)
        value |= A_UIP;
    if (r->index == RTC_C) {
        r->cmos[RTC_C] = 0;
        update_line(r);
        sync(r, now); /* a tick that is owed makes a new edge */
        schedule(r);
    }
    return value;
}

static void write_register(struct rtc *r, uint8_t value, uint64_t now) {
    switch (r->index) {
    case RTC_A:
        write_a(r, value, now);
        break;
    case RTC_B:
        write_b(r, value);
        break;
    case RTC_C:
    case RTC_D:
        break; /* read-only */
    default:
        r->cmos[r->index] = value;
        break;
    }
    if (r->index <= RTC_D) {
        update_line(r);
        schedule(r);
    }
}

static uint32_t rtc_read(void *dev, uint16_t offset, unsigned size) {
    struct rtc *r = dev;
    uint64_t now = clock_now(r->clock);
    (void)size;
    if (offset == 0)
        return 0xff; /* the index cannot be read */
    sync(r, now);
    return read_register(r, now);
}

static void rtc_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct rtc *r = dev;
    (void)size;
    if (offset == 0) {
        r->index = value & 0x7f; /* bit 7 masks NMI, which nothing here raises */
        return;
    }
    uint64_t now = clock_now(r->clock);
    sync(r, now);
    write_register(r, (uint8_t)value, now);
}

static const struct pio_ops rtc_ops = {rtc_read, rtc_write, 1};

/* -- board -- */

static void put16(uint8_t *cmos, unsigned at, uint64_t value) {
    cmos[at] = (uint8_t)value;
    cmos[at + 1] = (uint8_t)(value >> 8);
}

/* What PC firmware keeps in CMOS memory about RAM and equipment. */
static void fill_memory(uint8_t *cmos, uint64_t ram_bytes) {
    uint64_t above_1m = ram_bytes > 0x100000 ? (ram_bytes - 0x100000) >> 10 : 0;
    uint64_t above_16m = ram_bytes > 0x1000000 ? (ram_bytes - 0x1000000) >> 16 : 0;
    uint16_t sum = 0;
    if (above_1m > 0xffff)
        above_1m = 0xffff;
    cmos[0x14] = 0x06; /* equipment: coprocessor, PS/2 mouse */
    put16(cmos, 0x15, 640);
    put16(cmos, 0x17, above_1m);
    put16(cmos, 0x30, above_1m);
    put16(cmos, 0x34, above_16m);
    put16(cmos, 0x5b, 0); /* above 4 GiB in units of 64 KiB: three bytes */
    cmos[0x5d] = 0;
    for (unsigned i = 0x10; i <= 0x2d; i++)
        sum += cmos[i];
    cmos[0x2e] = (uint8_t)(sum >> 8); /* the one field with the high byte first */
    cmos[0x2f] = (uint8_t)sum;
}

bool rtc_create(struct rtc *r, struct bus *bus, struct vclock *clock, struct pic *pic,
                uint64_t ram_bytes) {
    *r = (struct rtc){.clock = clock, .pic = pic, .irq = pic_input(pic, IRQ)};
    clock_timer_init(&r->timer, on_timer, r);
    r->second_ns = r->divider_ns = clock_now(clock);
    r->cmos[RTC_A] = A_DV_RUN | 0x06;
    r->cmos[RTC_B] = RTC_B_24;
    r->cmos[RTC_D] = D_VRT;
    rtc_time_set(r->cmos, host_wall_seconds());
    fill_memory(r->cmos, ram_bytes);
    pic_set_watch(
        pic, IRQ,
        &(struct pic_watch){.observe = on_pic_observed, .changed = on_pic_changed, .dev = r});
    return bus_map_pio(bus, 0x70, 2, &rtc_ops, r);
}

void rtc_reset(struct rtc *r) {
    sync(r, clock_now(r->clock));
    r->cmos[RTC_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->cmos[RTC_C] = 0;
    r->debt.owed = 0;
    update_line(r);
    schedule(r);
}

/* Nibbles: 1 floppy, 2 hard disk, 3 CD. */
void rtc_set_boot_order(struct rtc *r) {
    r->cmos[0x3d] = 0x32;
    r->cmos[0x38] = 0x10;
    r->cmos[0x39] = 0x55; /* disks 0-3: translation by LBA */
}
