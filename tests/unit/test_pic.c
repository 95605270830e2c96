/* devices/pic.c against the 8259A data sheet. */
#include "tests/unit/machine.h"

#include "devices/pic.h"

static struct pic pic;

static void program(uint8_t icw4) {
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, icw4);
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, 0x01);
    outb(0x21, 0);
    outb(0xa1, 0);
}

static int setup(void **state) {
    (void)state;
    machine_start();
    assert_true(pic_create(&pic, m.vm.bus, machine_line()));
    program(0x01);
    return 0;
}

static void line(unsigned input, bool level) {
    struct irq_line l = pic_input(&pic, input);
    irq_set(&l, level);
}

static void edge(unsigned input) {
    line(input, false);
    line(input, true);
}

static void test_nothing_before_initialisation(void **state) {
    (void)state;
    pic_reset(&pic);
    edge(1);
    assert_false(m.level);
    outb(0x21, 0); /* still without vectors: OCW1 is taken, but an uninitialised chip is masked */
    outb(0x20, 0x11);
    edge(1);
    assert_false(m.level);
}

static void test_vectors(void **state) {
    (void)state;
    edge(3);
    assert_true(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x23);
    assert_false(m.level);
    outb(0x20, 0x20);
    edge(12);
    assert_true(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x2c);
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0x04);
    outb(0xa0, 0x0b);
    assert_int_equal(inb(0xa0), 0x10);
}

static void test_priority_nesting(void **state) {
    (void)state;
    edge(4);
    assert_int_equal(pic_acknowledge(&pic), 0x24);
    edge(5);
    assert_false(m.level); /* lower */
    edge(4);
    assert_false(m.level); /* equal */
    edge(1);
    assert_true(m.level); /* higher */
    assert_int_equal(pic_acknowledge(&pic), 0x21);
    outb(0x20, 0x20); /* ends 1 */
    assert_false(m.level);
    outb(0x20, 0x20); /* ends 4 */
    assert_true(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x24);
    outb(0x20, 0x64); /* specific */
    assert_int_equal(pic_acknowledge(&pic), 0x25);
}

static void test_mask(void **state) {
    (void)state;
    outb(0x21, 0x10);
    edge(4);
    assert_false(m.level);
    assert_true(pic_masked(&pic, 4));
    assert_int_equal(inb(0x21), 0x10);
    assert_int_equal(inb(0x20), 0x10); /* IRR has it all the same */
    outb(0x21, 0);
    assert_true(m.level);
    outb(0x21, 0x04);
    assert_true(pic_masked(&pic, 9));
}

static void test_edge_mode_needs_an_edge(void **state) {
    (void)state;
    edge(3);
    pic_acknowledge(&pic);
    outb(0x20, 0x20);
    assert_false(m.level); /* still high, but no new edge */
    line(3, true);
    assert_false(m.level);
    edge(3);
    assert_true(m.level);
}

static void test_level_mode(void **state) {
    (void)state;
    outb(0x4d1, 0xff);
    assert_int_equal(inb(0x4d1), 0xde);
    outb(0x4d0, 0xff);
    assert_int_equal(inb(0x4d0), 0xf8);
    line(10, true);
    assert_int_equal(pic_acknowledge(&pic), 0x2a);
    outb(0xa0, 0x20);
    outb(0x20, 0x20);
    assert_true(m.level); /* still asserted: again */
    line(10, false);
    assert_false(m.level);
}

static void test_spurious(void **state) {
    (void)state;
    line(5, true);
    line(5, false);
    assert_false(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x27);
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0); /* nothing in service */
}

static void test_slave_keeps_asking(void **state) {
    (void)state;
    edge(14);
    edge(9);
    assert_int_equal(pic_acknowledge(&pic), 0x29);
    outb(0xa0, 0x20);
    assert_false(m.level); /* the master still serves its input 2 */
    outb(0x20, 0x20);
    assert_true(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x2e);
}

static void test_special_fully_nested(void **state) {
    (void)state;
    program(0x11);
    edge(14);
    assert_int_equal(pic_acknowledge(&pic), 0x2e);
    edge(9);
    assert_true(m.level); /* higher on the slave gets through while input 2 is served */
    assert_int_equal(pic_acknowledge(&pic), 0x29);
}

static void test_auto_eoi(void **state) {
    (void)state;
    program(0x03);
    edge(6);
    assert_int_equal(pic_acknowledge(&pic), 0x26);
    edge(7);
    assert_true(m.level);
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0);
}

static void test_rotation(void **state) {
    (void)state;
    edge(4);
    pic_acknowledge(&pic);
    outb(0x20, 0xa0); /* rotate on non-specific EOI: 4 is now lowest, 5 highest */
    edge(4);
    edge(5);
    assert_int_equal(pic_acknowledge(&pic), 0x25);
    outb(0x20, 0xe5); /* rotate on specific EOI */
    assert_int_equal(pic_acknowledge(&pic), 0x24);
    outb(0x20, 0x20);
    outb(0x20, 0xc7); /* set priority: 7 lowest, back to the order at start */
    edge(6);
    edge(0);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
}

static void test_rotate_in_auto_eoi(void **state) {
    (void)state;
    program(0x03);
    outb(0x20, 0x80);
    edge(0);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    edge(0);
    edge(1);
    assert_int_equal(pic_acknowledge(&pic), 0x21);
    outb(0x20, 0x00);
    assert_int_equal(pic_acknowledge(&pic), 0x20);
    edge(1);
    edge(2 + 5);
    assert_int_equal(pic_acknowledge(&pic), 0x27); /* order stays: 1 was made lowest */
}

static void test_special_mask(void **state) {
    (void)state;
    edge(2 + 1);
    pic_acknowledge(&pic);
    outb(0x21, 0x08);
    edge(6);
    assert_false(m.level);
    outb(0x20, 0x68); /* set special mask mode */
    assert_true(m.level);
    assert_int_equal(pic_acknowledge(&pic), 0x26);
    outb(0x20, 0x20); /* non-specific EOI leaves the masked level 3 alone */
    outb(0x20, 0x0b);
    assert_int_equal(inb(0x20), 0x08);
    outb(0x20, 0x48); /* back */
    edge(6);
    assert_false(m.level);
}

static void test_poll(void **state) {
    (void)state;
    outb(0x20, 0x0c);
    assert_int_equal(inb(0x20), 0x00);
    edge(5);
    outb(0x20, 0x0c);
    assert_int_equal(inb(0x20), 0x85);
    assert_false(m.level);
    assert_int_equal(inb(0x20), 0x00); /* IRR again */
    outb(0x20, 0x20);
    edge(11);
    outb(0x20, 0x0c);
    assert_int_equal(inb(0x20), 0x82);
    outb(0xa0, 0x0c);
    assert_int_equal(inb(0xa1), 0x83);
}

static unsigned observed, changed;

static void on_observe(void *dev) {
    (void)dev;
    observed++;
}

static void on_change(void *dev) {
    (void)dev;
    changed++;
}

static void test_watch(void **state) {
    (void)state;
    observed = changed = 0;
    pic_set_watch(&pic, 8, &(struct pic_watch){.observe = on_observe, .changed = on_change});
    inb(0xa0);
    assert_int_equal(observed, 1);
    outb(0xa1, 0x01);
    assert_int_equal(changed, 1);
    outb(0xa1, 0x03);
    assert_int_equal(changed, 1); /* another input's mask */
    outb(0xa1, 0x00);
    outb(0x21, 0x04);
    assert_int_equal(changed, 3); /* the cascade masks it too */
    outb(0x21, 0x00);
    edge(8);
    pic_acknowledge(&pic);
    assert_int_equal(changed, 5);
}

static void test_reset_drops_requests(void **state) {
    (void)state;
    edge(3);
    pic_reset(&pic);
    assert_false(m.level);
    program(0x01);
    assert_false(m.level);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_nothing_before_initialisation),
        T(test_vectors),
        T(test_priority_nesting),
        T(test_mask),
        T(test_edge_mode_needs_an_edge),
        T(test_level_mode),
        T(test_spurious),
        T(test_slave_keeps_asking),
        T(test_special_fully_nested),
        T(test_auto_eoi),
        T(test_rotation),
        T(test_rotate_in_auto_eoi),
        T(test_special_mask),
        T(test_poll),
        T(test_watch),
        T(test_reset_drops_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
