/* devices/uart.c against the PC16550D data sheet. */
#include "tests/unit/machine.h"

#include <string.h>

#include "devices/uart.h"

enum { BASE = 0x3f8 };
enum { DATA = BASE, IER = BASE + 1, IIR = BASE + 2, FCR = BASE + 2, LCR = BASE + 3 };
enum { MCR = BASE + 4, LSR = BASE + 5, MSR = BASE + 6, SCR = BASE + 7 };

static struct uart uart;

static int setup(void **state) {
    (void)state;
    machine_start();
    assert_true(uart_create(&uart, m.vm.bus, &m.clock, BASE, machine_line(), 1));
    return 0;
}

static void feed(const char *text) {
    host_stub_chr_feed(1, text, strlen(text));
    uart_poll(&uart);
}

static void expect_sent(const char *text) {
    assert_int_equal(host_stub.chr[1].out_count, strlen(text));
    assert_memory_equal(host_stub.chr[1].out, text, strlen(text));
}

static void test_registers_after_reset(void **state) {
    (void)state;
    assert_int_equal(inb(IER), 0);
    assert_int_equal(inb(IIR), 1);
    assert_int_equal(inb(LCR), 0);
    assert_int_equal(inb(MCR), 0);
    assert_int_equal(inb(LSR), 0x60);
    assert_int_equal(inb(MSR), 0xb0);
}

static void test_divisor_and_scratch(void **state) {
    (void)state;
    outb(LCR, 0x83);
    outb(DATA, 0x34);
    outb(IER, 0x12);
    assert_int_equal(inb(DATA), 0x34);
    assert_int_equal(inb(IER), 0x12);
    outb(LCR, 0x03);
    assert_int_equal(inb(IER), 0);
    assert_int_equal(host_stub.chr[1].out_count, 0);
    outb(SCR, 0xa5);
    assert_int_equal(inb(SCR), 0xa5);
    outb(IER, 0xff);
    assert_int_equal(inb(IER), 0x0f);
}

static void test_transmit(void **state) {
    (void)state;
    outb(DATA, 'h');
    outb(DATA, 'i');
    assert_int_equal(inb(LSR), 0x60);
    expect_sent("hi");
}

static void test_transmit_waits_for_a_full_host(void **state) {
    (void)state;
    outb(FCR, 0x01);
    host_stub.chr[1].out_limit = 1;
    for (unsigned i = 0; i < 20; i++)
        outb(DATA, 'a' + i);
    assert_int_equal(inb(LSR) & 0x60, 0);
    expect_sent("a");
    host_stub.chr[1].out_limit = 100;
    outb(IER, 0x02);
    outb(MCR, 0x08);
    assert_false(m.level);
    run_for(2000000);
    expect_sent("abcdefghijklmnopq"); /* what was beyond the FIFO is lost */
    assert_int_equal(inb(LSR) & 0x60, 0x60);
    assert_true(m.level);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
}

static void test_transmit_interrupt(void **state) {
    (void)state;
    outb(MCR, 0x08);
    outb(IER, 0x02);
    assert_true(m.level);
    assert_int_equal(inb(IIR), 0x02);
    assert_false(m.level); /* reading IIR ends it */
    assert_int_equal(inb(IIR), 0x01);
    outb(DATA, 'x');
    assert_true(m.level);
    assert_int_equal(inb(IIR), 0x02);
    outb(IER, 0x00);
    outb(IER, 0x02); /* enabling it anew with an empty transmitter raises it again */
    assert_true(m.level);
}

static void test_out2_gates_the_interrupt(void **state) {
    (void)state;
    outb(IER, 0x02);
    assert_false(m.level);
    assert_int_equal(inb(IIR), 0x02);
    outb(IER, 0);
    outb(IER, 0x02);
    outb(MCR, 0x08);
    assert_true(m.level);
    outb(MCR, 0x00);
    assert_false(m.level);
}

static void test_receive_without_fifo(void **state) {
    (void)state;
    outb(MCR, 0x08);
    outb(IER, 0x01);
    feed("abc");
    assert_true(m.level);
    assert_int_equal(inb(IIR), 0x04);
    assert_int_equal(inb(LSR), 0x61);
    assert_int_equal(inb(DATA), 'a');
    assert_true(m.level); /* the next is there at once */
    assert_int_equal(inb(DATA), 'b');
    assert_int_equal(inb(DATA), 'c');
    assert_false(m.level);
    assert_int_equal(inb(LSR), 0x60);
}

static void test_receive_fifo_trigger_and_timeout(void **state) {
    (void)state;
    outb(FCR, 0x81); /* trigger at 8 */
    outb(MCR, 0x08);
    outb(IER, 0x01);
    feed("1234567");
    assert_true(m.level);
    assert_int_equal(inb(IIR), 0xcc);
    feed("8");
    assert_int_equal(inb(IIR), 0xc4);
    for (unsigned i = 1; i <= 8; i++)
        assert_int_equal(inb(DATA), '0' + i);
    assert_int_equal(inb(IIR), 0xc1);
    assert_false(m.level);
}

static void test_long_input_is_never_lost(void **state) {
    char text[301];
    (void)state;
    for (unsigned i = 0; i < 300; i++)
        text[i] = (char)('A' + i % 26);
    text[300] = 0;
    outb(FCR, 0x01);
    feed(text);
    for (unsigned i = 0; i < 300; i++) {
        assert_int_equal(inb(LSR), 0x61);
        assert_int_equal(inb(DATA), text[i]);
    }
    assert_int_equal(inb(LSR), 0x60);
}

static void test_fifo_reset(void **state) {
    (void)state;
    outb(FCR, 0x01);
    feed("abc");
    outb(FCR, 0x03);
    assert_int_equal(inb(LSR), 0x60);
    outb(FCR, 0x00);
    assert_int_equal(inb(IIR), 0x01);
}

static void test_loopback(void **state) {
    (void)state;
    outb(MCR, 0x1a);
    inb(MSR);
    assert_int_equal(inb(MSR), 0x90); /* RTS is CTS, OUT2 is DCD */
    outb(MCR, 0x15);
    assert_int_equal(inb(MSR) & 0xf0, 0x60); /* DTR is DSR, OUT1 is RI */
    outb(DATA, 0x5a);
    assert_int_equal(host_stub.chr[1].out_count, 0);
    assert_int_equal(inb(LSR), 0x61);
    assert_int_equal(inb(DATA), 0x5a);
    outb(DATA, 1);
    outb(DATA, 2);
    assert_int_equal(inb(LSR), 0x63); /* overrun */
    assert_int_equal(inb(LSR), 0x61);
    assert_int_equal(inb(DATA), 2);
    feed("not now");
    assert_int_equal(inb(LSR), 0x60);
}

static void test_line_status_interrupt(void **state) {
    (void)state;
    outb(MCR, 0x18);
    outb(IER, 0x05);
    outb(DATA, 1);
    outb(DATA, 2);
    assert_int_equal(inb(IIR), 0x06); /* before the received byte */
    inb(LSR);
    assert_int_equal(inb(IIR), 0x04);
}

static void test_modem_status_interrupt(void **state) {
    (void)state;
    outb(MCR, 0x18);
    inb(MSR);
    outb(IER, 0x08);
    assert_false(m.level);
    outb(MCR, 0x1a); /* CTS rises */
    assert_true(m.level);
    assert_int_equal(inb(IIR), 0x00);
    assert_int_equal(inb(MSR), 0x91);
    assert_false(m.level);
    outb(MCR, 0x1e); /* RI rises: no event */
    assert_false(m.level);
    outb(MCR, 0x1a); /* RI falls */
    assert_int_equal(inb(MSR), 0x94);
}

static void test_reset_forgets_input(void **state) {
    (void)state;
    outb(FCR, 0x01);
    outb(MCR, 0x08);
    outb(IER, 0x01);
    feed("abc");
    uart_reset(&uart);
    assert_false(m.level);
    assert_int_equal(inb(LSR), 0x60);
    assert_int_equal(inb(IIR), 0x01);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_registers_after_reset),
        T(test_divisor_and_scratch),
        T(test_transmit),
        T(test_transmit_waits_for_a_full_host),
        T(test_transmit_interrupt),
        T(test_out2_gates_the_interrupt),
        T(test_receive_without_fifo),
        T(test_receive_fifo_trigger_and_timeout),
        T(test_long_input_is_never_lost),
        T(test_fifo_reset),
        T(test_loopback),
        T(test_line_status_interrupt),
        T(test_modem_status_interrupt),
        T(test_reset_forgets_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
