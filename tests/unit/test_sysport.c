/* devices/sysport.c: ports 61h, 80h, 92h, E9h; and devices/dma8237.c. */
#include "tests/unit/machine.h"

#include "devices/dma8237.h"
#include "devices/sysport.h"

static struct pic pic;
static struct pit pit;
static struct sysport sys;
static struct dma8237 dma;
static struct a20_gate a20;

static int setup(void **state) {
    (void)state;
    machine_start();
    assert_true(pic_create(&pic, m.vm.bus, machine_line()));
    assert_true(pit_create(&pit, m.vm.bus, &m.clock, &pic));
    pit_reset(&pit);
    assert_true(sysport_create(&sys, &m.vm, &m.clock, &pit, &a20, 2));
    sysport_reset(&sys);
    assert_true(dma8237_create(&dma, m.vm.bus));
    return 0;
}

static void test_timer_2_through_port_61(void **state) {
    (void)state;
    outb(0x61, 0x01);
    outb(0x43, 0xb0);
    outb(0x42, 0xa9);
    outb(0x42, 0x04); /* 1193 ticks: 1 ms */
    assert_int_equal(inb(0x61) & 0x2f, 0x01);
    pass(990000);
    assert_int_equal(inb(0x61) & 0x20, 0);
    pass(20000);
    assert_int_equal(inb(0x61) & 0x20, 0x20);
}

static void test_gate_stops_timer_2(void **state) {
    (void)state;
    outb(0x61, 0x01);
    outb(0x43, 0xb0);
    outb(0x42, 0xa9);
    outb(0x42, 0x04);
    pass(500000);
    outb(0x61, 0x00);
    pass(10000000);
    assert_int_equal(inb(0x61) & 0x20, 0);
    outb(0x61, 0x01);
    pass(510000);
    assert_int_equal(inb(0x61) & 0x20, 0x20);
}

static void test_refresh_toggles(void **state) {
    unsigned changes = 0;
    uint8_t last = inb(0x61) & 0x10;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        pass(1000);
        uint8_t now = inb(0x61) & 0x10;
        changes += now != last;
        last = now;
    }
    assert_in_range(changes, 65, 67); /* every 15.085 us in 1 ms */
}

static void test_port_92(void **state) {
    (void)state;
    outb(0x92, 0x02);
    assert_true(a20.open);
    assert_int_equal(inb(0x92), 0x02);
    outb(0x92, 0x00);
    assert_false(a20.open);
    assert_int_equal(m.vm.stop, VM_RUNNING);
    outb(0x92, 0x01);
    assert_int_equal(m.vm.stop, VM_STOP_RESET);
}

static void test_post_and_debug_console(void **state) {
    (void)state;
    outb(0x80, 0x42);
    assert_int_equal(inb(0x80), 0x42);
    assert_int_equal(inb(0xe9), 0xe9);
    outb(0xe9, 'o');
    outb(0xe9, 'k');
    assert_int_equal(host_stub.chr[2].out_count, 2);
    assert_memory_equal(host_stub.chr[2].out, "ok", 2);
    host_stub.chr[2].out_limit = 2;
    outb(0xe9, 'x'); /* a full host loses it and nothing else happens */
    assert_int_equal(host_stub.chr[2].out_count, 2);
}

static void test_dma_registers(void **state) {
    (void)state;
    outb(0x0c, 0);
    outb(0x02, 0x34);
    outb(0x02, 0x12);
    assert_int_equal(inb(0x02), 0x34);
    assert_int_equal(inb(0x02), 0x12);
    assert_int_equal(inb(0x0f), 0xff); /* all masked at reset */
    outb(0x0a, 0x02);
    assert_int_equal(inb(0x0f), 0xfb);
    outb(0x0e, 0);
    assert_int_equal(inb(0x0f), 0xf0);
    outb(0x09, 0x05);
    assert_int_equal(inb(0x08), 0x20);
    outb(0x0d, 0);
    assert_int_equal(inb(0x08), 0);
    assert_int_equal(inb(0x0f), 0xff);
    outb(0xd8, 0);
    outb(0xc6, 0x78);
    outb(0xc6, 0x56);
    assert_int_equal(inb(0xc6), 0x78);
    outb(0x87, 0x5a);
    assert_int_equal(inb(0x87), 0x5a);
    assert_int_equal(inb(0x8f), 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_timer_2_through_port_61), T(test_gate_stops_timer_2),
        T(test_refresh_toggles),         T(test_port_92),
        T(test_post_and_debug_console),  T(test_dma_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
