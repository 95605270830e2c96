/*
 * Privileged services (service.h). Callers are the VMM's own code in ring 1: pointers are trusted.
 */
#include "host/ring0/service.h"

#include <stddef.h>

#include "host/host.h"
#include "host/ring0/ata.h"
#include "host/ring0/channel.h"
#include "host/ring0/clock.h"
#include "host/ring0/console.h"
#include "host/ring0/cpu_ops.h"
#include "host/ring0/layout.h"
#include "host/ring0/paging.h"
#include "host/ring0/panic.h"
#include "host/ring0/power.h"
#include "host/ring0/serial.h"
#include "host/ring0/trap.h"
#include "host/ring0/user.h"

uint64_t service_count[SERVICE_COUNT];

typedef void (*service_fn)(uint64_t a, uint64_t b, struct trap_frame *f);

static void invalidate(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)f;
    paging_invalidate_now((const uint64_t *)(uintptr_t)a, b);
}

static void wait(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)b;
    (void)f;
    clock_wait(a);
}

static void serial(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)a;
    (void)b;
    (void)f;
    serial_pump();
}

static void print(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)f;
    console_write((const char *)(uintptr_t)a, b);
}

static void user(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)b;
    user_enter(f, (struct host_user *)(uintptr_t)a);
}

static void debugcon(uint64_t a, uint64_t b, struct trap_frame *f) {
    enum { PORT = 0xe9 };
    (void)f;
    for (uint64_t i = 0; i < b; i++)
        out8(PORT, ((const uint8_t *)(uintptr_t)a)[i]);
}

static void channel(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)f;
    channel_send((enum channel_kind)a, (const char *)(uintptr_t)b);
}

static void gs_base(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)b;
    (void)f;
    write_msr(MSR_GS_BASE, a);
}

static void disk(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)b;
    (void)f;
    ata_do((struct ata_request *)(uintptr_t)a);
}

static void off(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)b;
    (void)f;
    power_off((unsigned)a);
}

static void panic(uint64_t a, uint64_t b, struct trap_frame *f) {
    (void)b;
    panic_screen((const char *)(uintptr_t)a, f);
}

static const struct {
    service_fn fn;
    const char *name;
} services[SERVICE_COUNT] = {
    [SERVICE_INVALIDATE] = {invalidate, "invalidate pages"},
    [SERVICE_WAIT] = {wait, "wait"},
    [SERVICE_SERIAL] = {serial, "serial port"},
    [SERVICE_PRINT] = {print, "print"},
    [SERVICE_USER] = {user, "run user code natively"},
    [SERVICE_DEBUGCON] = {debugcon, "debug console"},
    [SERVICE_CHANNEL] = {channel, "line to the launcher"},
    [SERVICE_GS_BASE] = {gs_base, "set GS.base"},
    [SERVICE_DISK] = {disk, "disk"},
    [SERVICE_POWER_OFF] = {off, "power off"},
    [SERVICE_PANIC] = {panic, "panic"},
};

const char *service_name(enum service number) {
    return services[number].name;
}

void service_call(enum service number, uint64_t a, uint64_t b) {
    if (current_ring() == 0) {
        services[number].fn(a, b, NULL);
        return;
    }
    __asm__ volatile("int %0"
                     :
                     : "i"(VECTOR_SERVICE), "a"((uint64_t)number), "D"(a), "S"(b)
                     : "memory");
}

void service_trap(struct trap_frame *f) {
    uint64_t number = f->gpr[0];

    if (number >= SERVICE_COUNT)
        host_panic("ring 1 asks for service %llu", (unsigned long long)number);
    service_count[number]++;
    services[number].fn(f->gpr[7], f->gpr[6], f);
}
