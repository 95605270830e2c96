/* devices/i8042.c and ps2.c: controller commands, and the devices' answers. */
#include "tests/unit/machine.h"

#include "devices/i8042.h"

static struct i8042 kbc;
static struct a20_gate a20;
static unsigned mouse_rises;
static bool mouse_level;

static void mouse_line(void *chip, unsigned input, bool level) {
    (void)chip;
    (void)input;
    mouse_rises += level && !mouse_level;
    mouse_level = level;
}

static int setup(void **state) {
    (void)state;
    machine_start();
    a20.open = true;
    mouse_level = false;
    mouse_rises = 0;
    assert_true(
        i8042_create(&kbc, &m.vm, machine_line(), (struct irq_line){.set = mouse_line}, &a20));
    return 0;
}

static uint8_t command(unsigned value) {
    outb(0x64, value);
    return inb(0x60);
}

static void expect_bytes(const uint8_t *bytes, unsigned n, bool aux) {
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(inb(0x64) & 0x21, aux ? 0x21 : 0x01);
        assert_int_equal(inb(0x60), bytes[i]);
    }
    assert_int_equal(inb(0x64) & 0x01, 0);
}

#define EXPECT_KEYBOARD(...)                                                                       \
    expect_bytes((const uint8_t[]){__VA_ARGS__}, sizeof(uint8_t[]){__VA_ARGS__}, false)
#define EXPECT_MOUSE(...)                                                                          \
    expect_bytes((const uint8_t[]){__VA_ARGS__}, sizeof(uint8_t[]){__VA_ARGS__}, true)

static void mouse(unsigned value) {
    outb(0x64, 0xd4);
    outb(0x60, value);
}

static void test_self_tests(void **state) {
    (void)state;
    assert_int_equal(command(0xaa), 0x55);
    assert_int_equal(command(0xab), 0x00);
    assert_int_equal(command(0xa9), 0x00);
    assert_int_equal(command(0xa4), 0xf1);
    assert_int_equal(inb(0x64) & 0x05, 0x04);
}

static void test_command_byte_and_ram(void **state) {
    (void)state;
    assert_int_equal(command(0x20), 0x65);
    outb(0x64, 0x60);
    assert_int_equal(inb(0x64) & 0x08, 0x08);
    outb(0x60, 0x74);
    assert_int_equal(inb(0x64) & 0x08, 0);
    assert_int_equal(command(0x20), 0x74);
    outb(0x64, 0x7f);
    outb(0x60, 0x99);
    assert_int_equal(command(0x3f), 0x99);
    outb(0x64, 0xad);
    assert_int_equal(command(0x20) & 0x10, 0x10);
    outb(0x64, 0xae);
    outb(0x64, 0xa8);
    assert_int_equal(command(0x20) & 0x30, 0x00);
    outb(0x64, 0xa7);
    assert_int_equal(command(0x20) & 0x30, 0x20);
}

static void test_output_buffer_loopback(void **state) {
    (void)state;
    outb(0x64, 0xd2);
    outb(0x60, 0x12);
    EXPECT_KEYBOARD(0x12);
    outb(0x64, 0xd3);
    outb(0x60, 0x34);
    EXPECT_MOUSE(0x34);
}

static void test_interrupts(void **state) {
    (void)state;
    outb(0x60, 0xf2);
    assert_int_equal(m.rises, 1);
    inb(0x60);
    assert_int_equal(m.rises, 2); /* one edge a byte */
    inb(0x60);
    inb(0x60);
    assert_int_equal(m.rises, 3);
    assert_false(m.level);
    mouse(0xf4);
    assert_int_equal(mouse_rises, 0); /* its interrupt is off */
    inb(0x60);
    outb(0x64, 0x60);
    outb(0x60, 0x46);
    mouse(0xf4);
    assert_int_equal(mouse_rises, 1);
    assert_false(m.level);
}

static void test_disabled_ports_keep_their_bytes(void **state) {
    (void)state;
    outb(0x60, 0xf2);
    outb(0x64, 0xad);
    assert_int_equal(inb(0x60), 0xfa);
    assert_int_equal(inb(0x64) & 1, 0);
    outb(0x64, 0xae);
    EXPECT_KEYBOARD(0xab, 0x41);
}

static void test_keyboard_commands(void **state) {
    (void)state;
    outb(0x64, 0x60);
    outb(0x60, 0x05); /* no translation */
    outb(0x60, 0xff);
    EXPECT_KEYBOARD(0xfa, 0xaa);
    outb(0x60, 0xf2);
    EXPECT_KEYBOARD(0xfa, 0xab, 0x83);
    outb(0x60, 0xee);
    EXPECT_KEYBOARD(0xee);
    outb(0x60, 0xed);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 0x07);
    EXPECT_KEYBOARD(0xfa);
    assert_int_equal(kbc.keyboard.leds, 7);
    outb(0x60, 0xf0);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 3);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 0xf0);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 0);
    EXPECT_KEYBOARD(0xfa, 3);
    outb(0x60, 0xf0);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 9); /* no such set */
    EXPECT_KEYBOARD(0xfe);
    outb(0x60, 0xf5);
    EXPECT_KEYBOARD(0xfa);
    assert_false(kbc.keyboard.scanning);
    assert_int_equal(kbc.keyboard.scan_set, 2);
    outb(0x60, 0x55);
    EXPECT_KEYBOARD(0xfe);
}

static void test_command_instead_of_parameter(void **state) {
    (void)state;
    outb(0x60, 0xed);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 0xf4);
    EXPECT_KEYBOARD(0xfa);
    outb(0x60, 0x02); /* not the LEDs any more */
    EXPECT_KEYBOARD(0xfe);
}

static void test_mouse_commands(void **state) {
    (void)state;
    mouse(0xff);
    EXPECT_MOUSE(0xfa, 0xaa, 0x00);
    mouse(0xf2);
    EXPECT_MOUSE(0xfa, 0x00);
    mouse(0xf3);
    EXPECT_MOUSE(0xfa);
    mouse(0xf3 - 0x80);
    EXPECT_MOUSE(0xfa);
    mouse(0xe8);
    EXPECT_MOUSE(0xfa);
    mouse(3);
    EXPECT_MOUSE(0xfa);
    mouse(0xf4);
    EXPECT_MOUSE(0xfa);
    mouse(0xe7);
    EXPECT_MOUSE(0xfa);
    mouse(0xe9);
    EXPECT_MOUSE(0xfa, 0x30, 0x03, 0x73);
    mouse(0xeb);
    EXPECT_MOUSE(0xfa, 0x08, 0x00, 0x00);
    mouse(0xee);
    EXPECT_MOUSE(0xfa);
    mouse(0xf2);
    EXPECT_MOUSE(0xf2); /* wrap mode */
    mouse(0xec);
    EXPECT_MOUSE(0xfa);
    mouse(0x77);
    EXPECT_MOUSE(0xfe);
}

static void test_queue_does_not_overflow(void **state) {
    (void)state;
    outb(0x64, 0xa7);
    mouse(0xee); /* wrap mode: every byte comes back; nobody reads */
    for (unsigned i = 0; i < 100; i++)
        mouse(i);
    unsigned n = 0;
    while (inb(0x64) & 1) {
        inb(0x60);
        n++;
    }
    assert_in_range(n, 2, 18);
}

static void test_a20(void **state) {
    (void)state;
    outb(0x64, 0xd1);
    outb(0x60, 0xdd);
    assert_false(a20.open);
    assert_int_equal(command(0xd0) & 0x03, 0x01);
    outb(0x64, 0xd1);
    outb(0x60, 0xdf);
    assert_true(a20.open);
    assert_int_equal(command(0xd0) & 0x03, 0x03);
    assert_int_equal(m.vm.stop, VM_RUNNING);
}

static void test_reset_lines(void **state) {
    (void)state;
    outb(0x64, 0xf1); /* pulses others only */
    assert_int_equal(m.vm.stop, VM_RUNNING);
    outb(0x64, 0xfe);
    assert_int_equal(m.vm.stop, VM_STOP_RESET);
    m.vm.stop = VM_RUNNING;
    outb(0x64, 0xd1);
    outb(0x60, 0x02);
    assert_int_equal(m.vm.stop, VM_STOP_RESET);
}

static void test_reset(void **state) {
    (void)state;
    outb(0x60, 0xf2);
    i8042_reset(&kbc);
    assert_false(m.level);
    assert_int_equal(inb(0x64), 0x14);
    assert_int_equal(command(0x20), 0x65);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_self_tests),
        T(test_command_byte_and_ram),
        T(test_output_buffer_loopback),
        T(test_interrupts),
        T(test_disabled_ports_keep_their_bytes),
        T(test_keyboard_commands),
        T(test_command_instead_of_parameter),
        T(test_mouse_commands),
        T(test_queue_does_not_overflow),
        T(test_a20),
        T(test_reset_lines),
        T(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
