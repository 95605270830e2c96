/*
 * A VM with a bus and a clock but no CPU, for device tests: ports by number, time by hand.
 */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include "tests/unit/unit.h"

#include "vmm/bus.h"
#include "vmm/clock.h"
#include "vmm/irq.h"

struct machine {
    struct vm vm;
    struct vclock clock;
    bool level;     /* of the line under test */
    unsigned rises; /* how often it rose */
};

static struct machine m;

static inline void machine_start(void) {
    host_stub_reset();
    host_stub.clock_ns = 1000;
    m = (struct machine){0};
    assert_true(bus_create(&m.vm));
    clock_create(&m.clock);
}

static inline void watch_line(void *chip, unsigned input, bool level) {
    (void)chip;
    (void)input;
    m.rises += level && !m.level;
    m.level = level;
}

/* A line that m.level and m.rises show. */
static inline struct irq_line machine_line(void) {
    return (struct irq_line){.set = watch_line};
}

static inline uint32_t inl(uint16_t port) {
    return bus_pio_read(&m.vm, port, 4);
}

static inline uint16_t inw(uint16_t port) {
    return (uint16_t)bus_pio_read(&m.vm, port, 2);
}

static inline void outw(uint16_t port, unsigned value) {
    bus_pio_write(&m.vm, port, 2, value);
}

static inline void outl(uint16_t port, uint32_t value) {
    bus_pio_write(&m.vm, port, 4, value);
}

static inline uint8_t inb(uint16_t port) {
    return (uint8_t)bus_pio_read(&m.vm, port, 1);
}

static inline void outb(uint16_t port, unsigned value) {
    bus_pio_write(&m.vm, port, 1, value);
}

/* Lets ns pass as one stretch, then runs what became due. */
static inline void pass(uint64_t ns) {
    host_stub.clock_ns += ns;
    clock_run(&m.clock);
}

/* Lets ns pass with every timer run on time. */
static inline void run_for(uint64_t ns) {
    uint64_t end = host_stub.clock_ns + ns;
    while (clock_next_host_deadline(&m.clock) <= end) {
        host_stub.clock_ns = clock_next_host_deadline(&m.clock);
        clock_run(&m.clock);
    }
    host_stub.clock_ns = end;
}

/* In place of vmm/vm.c's, which would want a translator to stop. */
void vm_request_stop(struct vm *vm, enum vm_stop why) {
    vm->stop = why;
}

#endif
