/*
 * The gate from ring 1 to ring 0: what the machine reserves to ring 0, and nothing else.
 */
#ifndef HOST_RING0_SERVICE_H
#define HOST_RING0_SERVICE_H

#include <stdint.h>

struct trap_frame;

enum service {
    SERVICE_INVALIDATE, /* paging_invalidate_now(a, b) */
    SERVICE_WAIT,       /* clock_wait(a) */
    SERVICE_SERIAL,     /* serial_pump() */
    SERVICE_PRINT,      /* console_write(a, b) */
    SERVICE_USER,       /* user_enter(caller's frame, a) */
    SERVICE_DEBUGCON,   /* b bytes at a to port E9h */
    SERVICE_CHANNEL,    /* channel_send(a, b) */
    SERVICE_GS_BASE,    /* GS.base = a, where WRGSBASE is missing */
    SERVICE_DISK,       /* ata_do(a) */
    SERVICE_POWER_OFF,  /* power_off(a): does not return */
    SERVICE_PANIC,      /* panic_screen(a, caller's registers): does not return */
    SERVICE_COUNT
};

/* From ring 1 through the gate, in ring 0 directly. */
void service_call(enum service number, uint64_t a, uint64_t b);

/* The gate's other side: number in RAX, arguments in RDI and RSI. */
void service_trap(struct trap_frame *f);

/* How often ring 1 has called each. */
extern uint64_t service_count[SERVICE_COUNT];
const char *service_name(enum service number);

#endif
