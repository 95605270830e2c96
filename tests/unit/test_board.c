/* vmm/board_pc.c and vmm.c: wiring, the INTR line, service and reset. */
#include "tests/unit/unit.h"

#include <string.h>

#include "devices/acpi_tables.h"
#include "vmm/board_pc.h"
#include "vmm/vm.h"

static struct vm vm;

static int setup(void **state) {
    (void)state;
    host_stub_reset();
    host_stub.clock_ns = 123456789;
    host_stub.wall_seconds = 1700000000;
    return vm_create(&vm, 32u << 20, 4u << 20,
                     &(struct board_config){.serial_mask = 3, .debugcon = 2})
               ? 0
               : -1;
}

static uint8_t inb(uint16_t port) {
    return (uint8_t)bus_pio_read(&vm, port, 1);
}

static void outb(uint16_t port, unsigned value) {
    bus_pio_write(&vm, port, 1, value);
}

static void open_pic(void) {
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, 0x01);
}

static void eoi(void) {
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
}

/* Everything masked but one input. */
static void only(unsigned irq) {
    uint16_t mask = (uint16_t) ~(1u << irq | 1u << 2);
    outb(0x21, mask & 0xff);
    outb(0xa1, mask >> 8);
}

static void test_timer_interrupt(void **state) {
    (void)state;
    open_pic();
    only(0);
    outb(0x43, 0x34);
    outb(0x40, 0xa9);
    outb(0x40, 0x04); /* 1 ms */
    while (vm.vcpu.intr_line) {
        board_intr_ack(&vm);
        eoi();
        board_service(&vm);
    }
    uint64_t next = board_next_deadline(&vm);
    assert_in_range(next, host_stub.clock_ns, host_stub.clock_ns + 2000000);
    assert_true(host_stub.timer_ns <= next);
    host_stub.clock_ns = next;
    vm.kicked = false;
    board_service(&vm);
    assert_true(vm.vcpu.intr_line);
    assert_false(vm.kicked); /* the run loop, which called, looks at the line anyway */
    assert_int_equal(board_intr_ack(&vm), 0x20);
    assert_false(vm.vcpu.intr_line);
}

static void test_idle_board_has_no_deadline(void **state) {
    (void)state;
    open_pic();
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    board_service(&vm);
    assert_true(board_next_deadline(&vm) == UINT64_MAX);
}

static void test_serial_input_reaches_the_cpu(void **state) {
    (void)state;
    open_pic();
    only(3);
    outb(0x2fc, 0x08);
    outb(0x2f9, 0x01);
    host_stub_chr_feed(1, "q", 1);
    board_service(&vm);
    assert_true(vm.vcpu.intr_line);
    assert_int_equal(board_intr_ack(&vm), 0x23);
    assert_int_equal(inb(0x2f8), 'q');
    assert_int_equal(inb(0x3e8), 0xff); /* COM3 is not fitted */
}

static void test_interrupt_inputs(void **state) {
    (void)state;
    open_pic();
    only(1);
    vm.kicked = false;
    vm.vcpu.ifl = EFL_IF;
    outb(0x60, 0xee); /* keyboard echo */
    assert_true(vm.vcpu.intr_line);
    assert_true(vm.kicked); /* translated code has to be told */
    vm.vcpu.ifl = 0;
    assert_int_equal(board_intr_ack(&vm), 0x21);
    assert_int_equal(inb(0x60), 0xee);
    eoi();
    only(12);
    outb(0x64, 0x60);
    outb(0x60, 0x47);
    outb(0x64, 0xd4);
    outb(0x60, 0xf4);
    assert_true(vm.vcpu.intr_line);
    assert_int_equal(board_intr_ack(&vm), 0x2c);
    inb(0x60);
    eoi();
    only(8);
    outb(0x70, 0x0b);
    outb(0x71, 0x12);
    host_stub.clock_ns += 1000000000;
    board_service(&vm);
    assert_int_equal(board_intr_ack(&vm), 0x28);
}

static void test_clocks_agree(void **state) {
    (void)state;
    outb(0x61, 1);
    outb(0x43, 0xb4);
    outb(0x42, 0);
    outb(0x42, 0);
    uint32_t pm = bus_pio_read(&vm, 0x608, 4);
    outb(0x70, 0);
    uint8_t second = inb(0x71);
    host_stub.clock_ns += 3000000000u;
    assert_int_equal((bus_pio_read(&vm, 0x608, 4) - pm) & 0xffffff, 3 * 3579545);
    outb(0x43, 0x80);
    unsigned pit = inb(0x42);
    pit |= inb(0x42) << 8u;
    assert_in_range((0x10000 - pit) & 0xffff, 3 * 1193182 % 65536 - 2, 3 * 1193182 % 65536 + 2);
    outb(0x70, 0);
    assert_int_equal(inb(0x71), second + 3);
}

static void test_every_reset_and_power_off(void **state) {
    static const struct {
        uint16_t port;
        unsigned size;
        uint32_t value;
        enum vm_stop stop;
    } ways[] = {{0x64, 1, 0xfe, VM_STOP_RESET},
                {0x92, 1, 0x03, VM_STOP_RESET},
                {0xcf9, 1, 0x06, VM_STOP_RESET},
                {0x604, 2, 0x2000, VM_STOP_POWEROFF}};
    (void)state;
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        vm.stop = VM_RUNNING;
        bus_pio_write(&vm, ways[i].port, ways[i].size, ways[i].value);
        assert_int_equal(vm.stop, ways[i].stop);
    }
}

static void test_first_stop_wins(void **state) {
    (void)state;
    vm_request_stop(&vm, VM_STOP_POWEROFF);
    vm_request_stop(&vm, VM_STOP_RESET);
    assert_int_equal(vm.stop, VM_STOP_POWEROFF);
}

static void test_reset_restores_devices_and_tables(void **state) {
    uint8_t text[8] = {0};
    (void)state;
    open_pic();
    only(1);
    outb(0x60, 0xee);
    outb(0x3ff, 0x77);
    memmap_write(&vm.mem, ACPI_TABLES_GPA, text, sizeof text);
    vm_request_stop(&vm, VM_STOP_RESET);
    vm_reset(&vm);
    assert_int_equal(vm.stop, VM_RUNNING);
    assert_false(vm.vcpu.intr_line);
    assert_int_equal(inb(0x3ff), 0);
    assert_int_equal(inb(0x21), 0xff);
    assert_int_equal(inb(0x4d1), 0x0e);
    memmap_read(&vm.mem, ACPI_TABLES_GPA, text, sizeof text);
    assert_memory_equal(text, "RSD PTR ", sizeof text);
}

/* No port may bring the VMM down, whatever is written to it. */
static void test_hostile_port_writes(void **state) {
    uint32_t seed = 12345;
    (void)state;
    for (unsigned i = 0; i < 2000000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint16_t port = (uint16_t)(seed >> 16);
        if (i % 8) /* mostly where devices are */
            port = (uint16_t)(port & 0x0fff);
        unsigned size = 1u << (seed >> 8) % 3;
        seed = seed * 1664525 + 1013904223;
        if (seed >> 31)
            bus_pio_write(&vm, port, size, seed >> 5);
        else
            bus_pio_read(&vm, port, size);
        host_stub.clock_ns += (uint64_t)(seed & 0xffff) << (seed >> 12 & 15);
        if (i % 16 == 0)
            board_service(&vm);
        if (vm.vcpu.intr_line)
            board_intr_ack(&vm);
        for (unsigned c = 0; c < HOST_STUB_CHANNELS; c++)
            host_stub.chr[c].out_count = 0;
    }
    vm_reset(&vm);
    assert_int_equal(inb(0x64) & 0x14, 0x14);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_timer_interrupt),
        T(test_idle_board_has_no_deadline),
        T(test_serial_input_reaches_the_cpu),
        T(test_interrupt_inputs),
        T(test_clocks_agree),
        T(test_every_reset_and_power_off),
        T(test_first_stop_wins),
        T(test_reset_restores_devices_and_tables),
        T(test_hostile_port_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
