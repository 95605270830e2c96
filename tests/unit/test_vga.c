/* devices/vga*.c: memory modes, text screen, registers. */
#include "tests/unit/machine.h"

#include "devices/vga.h"

static struct vga vga;

static int setup(void **state) {
    (void)state;
    machine_start();
    assert_true(vga_create(&vga, m.vm.bus, &m.clock));
    vga_reset(&vga);
    return 0;
}

static void seq(uint8_t index, uint8_t value) {
    outw(0x3c4, index | value << 8);
    outb(0x3c4, index);
    outb(0x3c5, value);
}

static void gc(uint8_t index, uint8_t value) {
    outb(0x3ce, index);
    outb(0x3cf, value);
}

static void crtc(uint8_t index, uint8_t value) {
    outb(0x3d4, index);
    outb(0x3d5, value);
}

static uint8_t peek(uint32_t gpa) {
    uint8_t value;
    bus_mmio_read(&m.vm, gpa, &value, 1);
    return value;
}

static void poke(uint32_t gpa, uint8_t value) {
    bus_mmio_write(&m.vm, gpa, &value, 1);
}

/* Mode 3: 80x25, odd/even at B8000h. */
static void text_mode(void) {
    seq(2, 0x03);
    seq(4, 0x02);
    gc(5, 0x10);
    gc(6, 0x0e);
    crtc(0x11, 0x00);
    crtc(0x01, 79);
    crtc(0x07, 0x1f);
    crtc(0x09, 0x4f);
    crtc(0x12, 0x8f);
    crtc(0x13, 40);
}

static void test_text_screen(void **state) {
    struct vga_text t;
    uint8_t row[VGA_COLUMNS_MAX];
    (void)state;
    assert_false(vga_text_size(&vga, &t)); /* no mode is set */
    text_mode();
    for (unsigned i = 0; i < 5; i++) {
        poke(0xb8000 + 160 + i * 2, (uint8_t) "hello"[i]);
        poke(0xb8001 + 160 + i * 2, 0x07);
    }
    crtc(0x0e, 0);
    crtc(0x0f, 80 + 5);
    assert_true(vga_text_size(&vga, &t));
    assert_int_equal(t.columns, 80);
    assert_int_equal(t.rows, 25);
    assert_int_equal(t.cursor_row, 1);
    assert_int_equal(t.cursor_column, 5);
    vga_text_row(&vga, &t, 1, row);
    assert_memory_equal(row, "hello", 5);
    assert_int_equal(peek(0xb8001 + 160), 0x07);
    assert_int_equal(peek(0xa0000), 0xff); /* not in this map */
    crtc(0x0d, 80);                        /* the screen starts one row later */
    vga_text_row(&vga, &t, 0, row);
    assert_memory_equal(row, "hello", 5);
    gc(6, 0x05);
    assert_false(vga_text_size(&vga, &t));
}

static void test_mode_of_firmware(void **state) {
    struct vga_text t;
    uint8_t row[VGA_COLUMNS_MAX];
    (void)state;
    vga_set_text_mode(&vga);
    assert_true(vga_text_size(&vga, &t));
    assert_int_equal(t.columns, 80);
    assert_int_equal(t.rows, 25);
    assert_int_equal(t.cursor_row, 0);
    vga_text_row(&vga, &t, 24, row);
    for (unsigned i = 0; i < 80; i++)
        assert_int_equal(row[i], ' ');
    poke(0xb8000 + 2 * (24 * 80 + 79), 'x');
    vga_text_row(&vga, &t, 24, row);
    assert_int_equal(row[79], 'x');
}

static void test_font_plane(void **state) {
    (void)state;
    text_mode();
    poke(0xb8000, 'A');
    seq(2, 0x04); /* plane 2, planar, at A0000h */
    seq(4, 0x06);
    gc(4, 0x02);
    gc(5, 0x00);
    gc(6, 0x04);
    poke(0xa0000, 0x55);
    poke(0xa0001, 0xaa);
    assert_int_equal(peek(0xa0000), 0x55);
    assert_int_equal(peek(0xa0001), 0xaa);
    text_mode();
    gc(4, 0);
    assert_int_equal(peek(0xb8000), 'A');
}

static void test_chain4(void **state) {
    (void)state;
    seq(2, 0x0f);
    seq(4, 0x0e);
    gc(6, 0x05);
    for (unsigned i = 0; i < 64; i++)
        poke(0xa0000 + i, (uint8_t)(i * 5));
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(peek(0xa0000 + i), (uint8_t)(i * 5));
    assert_int_equal(vga.memory[4][2], 30);
}

static void planar(void) {
    seq(2, 0x0f);
    seq(4, 0x06);
    gc(5, 0);
    gc(6, 0x05);
}

static void test_write_modes(void **state) {
    (void)state;
    planar();
    gc(0, 0x05); /* set/reset for planes 0 and 1 */
    gc(1, 0x03);
    poke(0xa0010, 0x3c);
    assert_int_equal(vga.memory[0x10][0], 0xff);
    assert_int_equal(vga.memory[0x10][1], 0x00);
    assert_int_equal(vga.memory[0x10][2], 0x3c);
    gc(1, 0);
    gc(3, 0x1b); /* XOR with the latches, rotated by 3 */
    peek(0xa0010);
    poke(0xa0010, 0x80);
    assert_int_equal(vga.memory[0x10][0], 0xff ^ 0x10);
    assert_int_equal(vga.memory[0x10][2], 0x3c ^ 0x10);
    gc(3, 0);
    gc(5, 1); /* latches to another address */
    peek(0xa0010);
    poke(0xa0020, 0x77);
    assert_int_equal(vga.memory[0x20][2], 0x3c ^ 0x10);
    gc(5, 2); /* colour 9 in the upper nibble only */
    gc(8, 0xf0);
    peek(0xa0030);
    poke(0xa0030, 9);
    assert_int_equal(vga.memory[0x30][0], 0xf0);
    assert_int_equal(vga.memory[0x30][1], 0);
    assert_int_equal(vga.memory[0x30][3], 0xf0);
    gc(5, 3); /* the byte is a mask for set/reset */
    gc(0, 0x02);
    peek(0xa0030);
    poke(0xa0030, 0x3c);
    assert_int_equal(vga.memory[0x30][0], 0xc0);
    assert_int_equal(vga.memory[0x30][1], 0x30);
}

static void test_read_compare(void **state) {
    (void)state;
    planar();
    seq(2, 0x01);
    poke(0xa0000, 0x0f);
    seq(2, 0x02);
    poke(0xa0000, 0x33);
    gc(5, 0x08);
    gc(2, 0x01); /* colour 1 */
    gc(7, 0x0f);
    assert_int_equal(peek(0xa0000), 0x0c);
    gc(7, 0x01);
    assert_int_equal(peek(0xa0000), 0x0f);
}

static void test_palette(void **state) {
    (void)state;
    outb(0x3c8, 10);
    for (unsigned i = 0; i < 6; i++)
        outb(0x3c9, i + 1);
    outb(0x3c7, 11);
    assert_int_equal(inb(0x3c7), 3);
    for (unsigned i = 3; i < 6; i++)
        assert_int_equal(inb(0x3c9), i + 1);
}

static void test_attribute_flip_flop(void **state) {
    (void)state;
    inb(0x3da);
    outb(0x3c0, 0x12);
    outb(0x3c0, 0x0f);
    outb(0x3c0, 0x32);
    assert_int_equal(inb(0x3c1), 0x0f);
    assert_int_equal(inb(0x3c0), 0x32);
    inb(0x3da);
    outb(0x3c0, 0x10); /* an index again */
    outb(0x3c0, 0x01);
    inb(0x3da);
    outb(0x3c0, 0x10);
    assert_int_equal(inb(0x3c1), 0x01);
}

static void test_retrace_comes_and_goes(void **state) {
    unsigned retraces = 0;
    uint8_t last = 0;
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        pass(10000);
        uint8_t now = inb(0x3da) & 8;
        retraces += now && !last;
        last = now;
    }
    assert_in_range(retraces, 69, 71); /* in a second */
}

static void test_monochrome_ports(void **state) {
    (void)state;
    crtc(0x0f, 0x21);
    assert_int_equal(inb(0x3b5), 0xff);
    outb(0x3c2, 0x00);
    assert_int_equal(inb(0x3d5), 0xff);
    assert_int_equal(inb(0x3b5), 0x21);
}

static void test_protected_registers(void **state) {
    (void)state;
    crtc(0x01, 79);
    crtc(0x11, 0x80);
    crtc(0x01, 10);
    outb(0x3d4, 1);
    assert_int_equal(inb(0x3d5), 79);
    crtc(0x0c, 3);
    assert_int_equal(inb(0x3d5), 3);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_text_screen),      T(test_mode_of_firmware),    T(test_font_plane),
        T(test_chain4),           T(test_write_modes),         T(test_read_compare),
        T(test_palette),          T(test_attribute_flip_flop), T(test_retrace_comes_and_goes),
        T(test_monochrome_ports), T(test_protected_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
