/* System control ports; see sysport.h. */
#include "devices/sysport.h"

#include "host/host.h"

#define REFRESH_NS   15085u /* half the period of the refresh request: bit 4 of port 61h toggles */
#define PORT92_RESET 0x01u
#define PORT92_A20   0x02u

static uint32_t port61_read(void *dev, uint16_t offset, unsigned size) {
    struct sysport *s = dev;
    (void)offset;
    (void)size;
    uint32_t refresh = (uint32_t)(clock_now(s->clock) / REFRESH_NS) & 1u;
    return s->port61 | refresh << 4 | (uint32_t)pit_out(s->pit, 2) << 5;
}

static void port61_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct sysport *s = dev;
    (void)offset;
    (void)size;
    s->port61 = value & 0x0f;
    pit_set_gate(s->pit, 2, value & 1);
}

static uint32_t port80_read(void *dev, uint16_t offset, unsigned size) {
    const struct sysport *s = dev;
    (void)offset;
    (void)size;
    return s->post;
}

static void port80_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct sysport *s = dev;
    (void)offset;
    (void)size;
    s->post = (uint8_t)value;
}

static uint32_t port92_read(void *dev, uint16_t offset, unsigned size) {
    const struct sysport *s = dev;
    (void)offset;
    (void)size;
    return s->a20->open ? PORT92_A20 : 0;
}

static void port92_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    struct sysport *s = dev;
    (void)offset;
    (void)size;
    a20_set(s->a20, value & PORT92_A20);
    if (value & PORT92_RESET)
        vm_request_stop(s->vm, VM_STOP_RESET);
}

/* Reading E9h gives E9h: software finds the debug console by that. */
static uint32_t debugcon_read(void *dev, uint16_t offset, unsigned size) {
    (void)dev;
    (void)offset;
    (void)size;
    return 0xe9;
}

static void debugcon_write(void *dev, uint16_t offset, unsigned size, uint32_t value) {
    const struct sysport *s = dev;
    (void)offset;
    (void)size;
    uint8_t byte = (uint8_t)value;
    /* There is no way to tell the guest to wait: what the host cannot take is lost. */
    (void)host_chr_write((unsigned)s->debugcon, &byte, 1);
}

static const struct pio_ops port61_ops = {port61_read, port61_write, 1};
static const struct pio_ops port80_ops = {port80_read, port80_write, 1};
static const struct pio_ops port92_ops = {port92_read, port92_write, 1};
static const struct pio_ops debugcon_ops = {debugcon_read, debugcon_write, 1};

bool sysport_create(struct sysport *s, struct vm *vm, struct vclock *clock, struct pit *pit,
                    struct a20_gate *a20, int debugcon) {
    *s = (struct sysport){.vm = vm, .clock = clock, .pit = pit, .a20 = a20, .debugcon = debugcon};
    return bus_map_pio(vm->bus, 0x61, 1, &port61_ops, s) &&
           bus_map_pio(vm->bus, 0x80, 1, &port80_ops, s) &&
           bus_map_pio(vm->bus, 0x92, 1, &port92_ops, s) &&
           (debugcon < 0 || (bus_map_pio(vm->bus, 0xe9, 1, &debugcon_ops, s) &&
                             bus_map_pio(vm->bus, 0x402, 1, &debugcon_ops, s)));
}

void sysport_reset(struct sysport *s) {
    s->port61 = 0;
    s->post = 0;
}
