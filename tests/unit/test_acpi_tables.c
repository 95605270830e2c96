/* devices/acpi_tables.c and aml.c: found and followed as an operating system does. */
#include "tests/unit/unit.h"

#include <string.h>

#include "devices/acpi_tables.h"
#include "devices/aml.h"
#include "devices/piix4_pm.h"

static uint8_t image[ACPI_TABLES_BYTES];
static size_t used;

static int setup(void **state) {
    (void)state;
    used = acpi_tables_build(image, &(struct acpi_config){.base = ACPI_TABLES_GPA,
                                                          .pm_base = PM_BASE,
                                                          .ram_bytes = UINT64_C(256) << 20,
                                                          .serial_mask = 5});
    return used ? 0 : -1;
}

static uint32_t get32(const uint8_t *p) {
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint8_t sum(const uint8_t *p, size_t n) {
    uint8_t total = 0;
    while (n--)
        total = (uint8_t)(total + *p++);
    return total;
}

static const uint8_t *at(uint32_t gpa) {
    assert_in_range(gpa, ACPI_TABLES_GPA, ACPI_TABLES_GPA + used - 36);
    return image + (gpa - ACPI_TABLES_GPA);
}

static const uint8_t *table(uint32_t gpa, const char *signature) {
    const uint8_t *t = at(gpa);
    assert_memory_equal(t, signature, 4);
    assert_true(get32(t + 4) >= 36 && gpa - ACPI_TABLES_GPA + get32(t + 4) <= used);
    assert_int_equal(sum(t, get32(t + 4)), 0);
    return t;
}

static const uint8_t *fadt(void) {
    const uint8_t *rsdt = table(get32(image + 16), "RSDT");
    assert_int_equal(get32(rsdt + 4), 40);
    return table(get32(rsdt + 36), "FACP");
}

static void test_root_pointer(void **state) {
    (void)state;
    assert_memory_equal(image, "RSD PTR ", 8);
    assert_int_equal(sum(image, 20), 0);
    assert_int_equal(ACPI_TABLES_GPA % 16, 0);
}

static void test_fixed_hardware(void **state) {
    (void)state;
    const uint8_t *f = fadt();
    assert_int_equal(get32(f + 4), 244);
    assert_int_equal(f[46], 9);
    assert_int_equal(get32(f + 48), 0xb2);
    assert_int_equal(get32(f + 56), 0x600);
    assert_int_equal(get32(f + 64), 0x604);
    assert_int_equal(get32(f + 76), 0x608);
    assert_int_equal(f[88], 4);
    assert_int_equal(f[89], 2);
    assert_int_equal(f[91], 4);
    assert_true(get32(f + 112) & 1u << 10);
    assert_int_equal(f[116], 1);
    assert_int_equal(get32(f + 120), 0xcf9);
    assert_int_equal(f[128], 0x06);
}

static void test_facs(void **state) {
    (void)state;
    uint32_t gpa = get32(fadt() + 36);
    assert_int_equal(gpa % 64, 0);
    assert_memory_equal(at(gpa), "FACS", 4);
    assert_int_equal(get32(at(gpa) + 4), 64);
}

/* -- AML -- */

/* Length of a PkgLength at p, and its value. */
static unsigned pkg_length(const uint8_t *p, size_t *value) {
    unsigned more = p[0] >> 6;
    *value = more ? p[0] & 15u : p[0] & 63u;
    for (unsigned i = 0; i < more; i++)
        *value |= (size_t)p[1 + i] << (4 + 8 * i);
    return more + 1;
}

static unsigned devices, resource_buffers, packages;

/* Checks a resource template: items up to an end tag that is the last thing. */
static void walk_resources(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (p[i] != 0x79) {
        i += p[i] & 0x80 ? 3u + p[i + 1] + (p[i + 2] << 8) : 1u + (p[i] & 7u);
        assert_true(i < n);
    }
    assert_int_equal(i + 2, n);
    resource_buffers++;
}

/* Walks the terms in [p, end); fails unless they fill it exactly. */
static void walk(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        size_t n;
        const uint8_t *body;
        switch (p[0]) {
        case 0x00: /* ZeroOp, OneOp */
        case 0x01:
            p += 1;
            break;
        case 0x08: /* Name: its value is the next term */
            p += 5;
            break;
        case 0x0a:
            p += 2;
            break;
        case 0x0b:
            p += 3;
            break;
        case 0x0c:
            p += 5;
            break;
        case 0x10:
        case 0x5b:
            if (p[0] == 0x5b) {
                assert_int_equal(p[1], 0x82);
                devices++;
                p++;
            }
            body = p + 1 + pkg_length(p + 1, &n);
            walk(body + 4, p + 1 + n);
            p += 1 + n;
            break;
        case 0x11:
            body = p + 1 + pkg_length(p + 1, &n);
            assert_int_equal(body[0], 0x0b);
            assert_int_equal(body[1] | body[2] << 8, p + 1 + n - (body + 3));
            walk_resources(body + 3, (size_t)(p + 1 + n - (body + 3)));
            p += 1 + n;
            break;
        case 0x12:
            body = p + 1 + pkg_length(p + 1, &n);
            packages++;
            walk(body + 1, p + 1 + n);
            p += 1 + n;
            break;
        default:
            fail_msg("unexpected AML byte %02x", p[0]);
        }
        assert_true(p <= end);
    }
}

static void test_dsdt_is_well_formed(void **state) {
    (void)state;
    const uint8_t *dsdt = table(get32(fadt() + 40), "DSDT");
    devices = resource_buffers = packages = 0;
    walk(dsdt + 36, dsdt + get32(dsdt + 4));
    assert_int_equal(devices, 7); /* PCI0, ISA_, RTC_, KBD_, MOU_, COM1, COM3 */
    assert_int_equal(resource_buffers, 6);
    assert_int_equal(packages, 1 + 28 + 1);
}

static void test_soft_off_is_type_0(void **state) {
    static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 0x47, 0x00, 4, 0, 0, 0, 0};
    (void)state;
    const uint8_t *dsdt = table(get32(fadt() + 40), "DSDT");
    assert_memory_equal(dsdt + get32(dsdt + 4) - sizeof s5, s5, sizeof s5);
}

static void test_eisa_id(void **state) {
    uint8_t buf[5];
    struct aml a = {.buf = buf, .size = sizeof buf};
    (void)state;
    aml_eisa_id(&a, "PNP0A03");
    assert_memory_equal(buf, ((uint8_t[]){0x0c, 0x41, 0xd0, 0x0a, 0x03}), 5);
    assert_false(a.full);
}

static void test_full_buffer_is_reported(void **state) {
    uint8_t buf[8] = {0};
    struct aml a = {.buf = buf, .size = 6};
    (void)state;
    size_t p = aml_begin_package(&a, 1);
    aml_integer(&a, 0x12345678);
    aml_end(&a, p);
    assert_true(a.full);
    assert_int_equal(buf[6] | buf[7], 0);
}

int main(void) {
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_root_pointer),
        T(test_fixed_hardware),
        T(test_facs),
        T(test_dsdt_is_well_formed),
        T(test_soft_off_is_type_0),
        T(test_eisa_id),
        T(test_full_buffer_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
