/* devices/pci.c, i440fx.c, piix3.c, piix4_pm.c against the PCI specification and the data sheets.
 */
#include "tests/unit/machine.h"

#include "devices/i440fx.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"

#define MS UINT64_C(1000000)

static struct pic pic;
static struct pci_bus pci;
static struct i440fx host;
static struct piix3 isa;
static struct piix4_pm pm;

static int setup(void **state) {
    (void)state;
    machine_start();
    assert_true(pic_create(&pic, m.vm.bus, machine_line()));
    assert_true(pci_create(&pci, m.vm.bus));
    assert_true(i440fx_create(&host, &pci));
    assert_true(piix3_create(&isa, &m.vm, &pci, &pic));
    assert_true(piix4_pm_create(&pm, &m.vm, &pci, &m.clock, pic_input(&pic, PM_SCI_IRQ)));
    return 0;
}

static void select(unsigned bus, unsigned dev, unsigned fn, unsigned reg) {
    outl(0xcf8, 0x80000000u | bus << 16 | dev << 11 | fn << 8 | (reg & 0xfc));
}

static uint32_t config(unsigned dev, unsigned fn, unsigned reg) {
    select(0, dev, fn, reg);
    return inl(0xcfc);
}

static void test_who_is_there(void **state) {
    (void)state;
    assert_int_equal(config(0, 0, 0), 0x12378086);
    assert_int_equal(config(0, 0, 8) >> 16, 0x0600);
    assert_int_equal(config(1, 0, 0), 0x70008086);
    assert_int_equal(config(1, 0, 8) >> 16, 0x0601);
    assert_int_equal(config(1, 0, 0xc) >> 16 & 0xff, 0x80); /* multi-function */
    assert_int_equal(config(1, 3, 0), 0x71138086);
    assert_int_equal(config(1, 3, 8) >> 16, 0x0680);
    for (unsigned dev = 2; dev < 32; dev++)
        assert_int_equal(config(dev, 0, 0), 0xffffffff);
    select(1, 0, 0, 0); /* no other bus */
    assert_int_equal(inl(0xcfc), 0xffffffff);
    outl(0xcf8, 0); /* not enabled */
    assert_int_equal(inl(0xcfc), 0xffffffff);
}

static void test_address_register(void **state) {
    (void)state;
    outl(0xcf8, 0xffffffff);
    assert_int_equal(inl(0xcf8), 0x80fffffc);
    outb(0xcf8, 0); /* only doublewords reach it */
    outw(0xcfa, 0);
    assert_int_equal(inl(0xcf8), 0x80fffffc);
    assert_int_equal(inb(0xcf8), 0xff);
}

static void test_narrow_and_crossing_accesses(void **state) {
    (void)state;
    select(0, 0, 0, 0);
    assert_int_equal(inw(0xcfe), 0x1237);
    assert_int_equal(inb(0xcfd), 0x80);
    assert_int_equal(inb(0xcff), 0x12);
    assert_int_equal(inl(0xcfe), 0xffff1237); /* runs off the end */
    select(0, 1, 0, 0xfc);
    outl(0xcfe, 0xffffffff);
    assert_int_equal(inw(0xcfd), 0);
}

static void test_read_only_bits_stay(void **state) {
    (void)state;
    select(0, 0, 0, 0);
    outl(0xcfc, 0);
    assert_int_equal(inl(0xcfc), 0x12378086);
    select(0, 1, 0, 0x60);
    outl(0xcfc, 0xffffffff);
    assert_int_equal(inl(0xcfc), 0x8f8f8f8f);
}

static void test_attach_refuses_a_second_function(void **state) {
    struct pci_function f;
    (void)state;
    pci_function_init(&f, PCI_DEVFN(1, 3), &(struct pci_id){0x1234, 0x5678, 0, 0});
    assert_false(pci_attach(&pci, &f));
    f.devfn = PCI_DEVFN(2, 0);
    assert_true(pci_attach(&pci, &f));
    assert_int_equal(config(2, 0, 0), 0x56781234);
}

static void test_interrupt_routing(void **state) {
    struct irq_line a = pci_intx(&pci, 3, 1), b = pci_intx(&pci, 7, 1), c = pci_intx(&pci, 2, 1);
    (void)state;
    irq_set(&a, true); /* device 3 pin A: PIRQC */
    assert_true(pic_requested(&pic, 11));
    assert_false(pic_requested(&pic, 10));
    irq_set(&b, true); /* shares it */
    irq_set(&a, false);
    assert_true(pic_requested(&pic, 11));
    irq_set(&c, true); /* device 2 pin A: PIRQB */
    assert_true(pic_requested(&pic, 10));
    select(0, 1, 0, 0x60);
    outb(0xcfe, 0x05); /* PIRQC to IRQ 5 */
    outb(0x4d0, 0x20);
    assert_false(pic_requested(&pic, 11));
    assert_true(pic_requested(&pic, 5));
    outb(0xcfe, 0x80);
    assert_false(pic_requested(&pic, 5));
    outb(0xcfe, 0x0a);
    irq_set(&b, false);
    irq_set(&c, false);
    assert_false(pic_requested(&pic, 10));
    assert_false(pic_requested(&pic, 11));
    irq_set(&c, true);
    outb(0xcfd, 0x08); /* IRQ 8 cannot be chosen */
    assert_false(pic_requested(&pic, 8));
}

static void test_reset_control(void **state) {
    (void)state;
    outb(0xcf9, 0x02);
    assert_int_equal(m.vm.stop, VM_RUNNING);
    assert_int_equal(inb(0xcf9), 0x02);
    outb(0xcf9, 0x06);
    assert_int_equal(m.vm.stop, VM_STOP_RESET);
}

/* -- power management -- */

static void test_power_off(void **state) {
    (void)state;
    outw(0x604, 0x3400); /* another sleep type */
    assert_int_equal(m.vm.stop, VM_RUNNING);
    outw(0x604, 0x2000);
    assert_int_equal(m.vm.stop, VM_STOP_POWEROFF);
}

static void test_pm_timer(void **state) {
    (void)state;
    uint32_t start = inl(0x608);
    pass(1000 * MS);
    assert_int_equal(inl(0x608) - start, 3579545);
    pass(4000 * MS);
    uint32_t t = inl(0x608);
    assert_true(t < 1u << 24); /* wrapped once in 5 s */
    assert_int_equal(t, (start + 5 * 3579545) & 0xffffff);
    assert_int_equal(inb(0x608), t & 0xff);
    assert_int_equal(inw(0x609), t >> 8 & 0xffff);
    assert_int_equal(inl(0x60a) & 0xffff, t >> 16);
    outl(0x608, 0);
    assert_int_equal(inl(0x608), t);
}

static void test_timer_status_and_sci(void **state) {
    (void)state;
    outb(0x20, 0x11); /* a PIC that lets IRQ 9 through */
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, 0x01);
    pass(3000 * MS); /* bit 23 has changed */
    assert_int_equal(inw(0x600), 0x0001);
    outw(0x602, 0x0001);
    assert_false(m.level); /* SCI_EN is off */
    outb(0xb2, 0xf1);
    assert_int_equal(inw(0x604), 0x0001);
    assert_true(m.level);
    outw(0x600, 0x0001);
    assert_false(m.level);
    uint64_t next = clock_next_host_deadline(&m.clock);
    assert_true(next > host_stub.clock_ns && next < host_stub.clock_ns + 2400 * MS);
    run_for(2400 * MS);
    assert_true(m.level);
    outb(0xb2, 0xf0);
    assert_false(m.level);
    assert_int_equal(inw(0x604), 0);
}

static void test_no_timer_unless_enabled(void **state) {
    (void)state;
    outb(0xb2, 0xf1);
    inl(0x600);
    assert_true(clock_next_host_deadline(&m.clock) == UINT64_MAX);
}

static void test_pm_enable_bits(void **state) {
    (void)state;
    outl(0x600, 0xffffffff);
    assert_int_equal(inl(0x600), 0x05210000);
    outb(0x603, 0);
    assert_int_equal(inw(0x602), 0x0021);
    outw(0xb2, 0x55aa);
    assert_int_equal(inb(0xb3), 0x55);
}

static void test_pm_base_moves(void **state) {
    (void)state;
    assert_int_equal(config(1, 3, 0x40), 0x601);
    outl(0xcfc, 0x0000b000);
    assert_int_equal(inw(0x604), 0xffff);
    outb(0xb2, 0xf1);
    assert_int_equal(inw(0xb004), 0x0001);
    outl(0xcfc, 0x00000cc0); /* CF8h is taken: the block goes nowhere, and nothing breaks */
    assert_int_equal(inw(0xb004), 0xffff);
    assert_int_equal(inl(0xcf8), 0x80000000u | 1u << 11 | 3u << 8 | 0x40);
    outl(0xcfc, 0x00000600);
    assert_int_equal(inw(0x604), 0x0001);
    select(0, 1, 3, 0x80);
    outb(0xcfc, 0);
    assert_int_equal(inw(0x604), 0xffff);
}

static void test_reset(void **state) {
    (void)state;
    select(0, 1, 3, 0x40);
    outl(0xcfc, 0x0000b000);
    outb(0xb2, 0xf1);
    pci_reset(&pci);
    i440fx_reset(&host);
    piix3_reset(&isa, &pic);
    piix4_pm_reset(&pm);
    assert_int_equal(inw(0x604), 0);
    assert_int_equal(inw(0xb004), 0xffff);
    assert_int_equal(inl(0xcf8), 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_who_is_there),
        T(test_address_register),
        T(test_narrow_and_crossing_accesses),
        T(test_read_only_bits_stay),
        T(test_attach_refuses_a_second_function),
        T(test_interrupt_routing),
        T(test_reset_control),
        T(test_power_off),
        T(test_pm_timer),
        T(test_timer_status_and_sci),
        T(test_no_timer_unless_enabled),
        T(test_pm_enable_bits),
        T(test_pm_base_moves),
        T(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
