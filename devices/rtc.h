/*
 * MC146818 real-time clock with 128 bytes of CMOS memory.
 *
 * Motorola MC146818A data sheet. The time registers are brought forward when somebody looks; timers
 * run only for interrupts that are enabled and not masked at the PIC. An update becomes visible at
 * the end of the update cycle; UIP is set from 244 us before the cycle, which takes 1984 us.
 */
#ifndef DEVICES_RTC_H
#define DEVICES_RTC_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/pic.h"
#include "vmm/bus.h"
#include "vmm/clock.h"
#include "vmm/irq.h"

struct rtc {
    struct vclock *clock;
    struct vtimer timer;
    const struct pic *pic;
    struct irq_line irq;
    uint8_t cmos[128]; /* 0-9 and 32h time and date, 0Ah-0Dh registers A-D, the rest memory */
    uint8_t index;
    uint64_t second_ns;  /* when the time in the registers became current: a second's boundary */
    uint64_t divider_ns; /* when the divider chain started; periods count from here */
    uint64_t periods;    /* periods since then that were taken */
    struct tick_debt debt;
};

/* Attaches the RTC at 70h-71h with its interrupt on input 8 of the PIC, set to the host's UTC and
 * with the firmware's words on ram_bytes of memory. False: a port is taken. */
bool rtc_create(struct rtc *r, struct bus *bus, struct vclock *clock, struct pic *pic,
                uint64_t ram_bytes);
/* The reset pin: interrupts off; time and memory stay. */
void rtc_reset(struct rtc *r);
/* What PC firmware keeps about boot devices: hard disk, then CD, then floppy; LBA disks. */
void rtc_set_boot_order(struct rtc *r);

#endif
