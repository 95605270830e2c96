/* host/process/blk.c and rt_blk.c: disk images. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/host.h"
#include "host/process/blk.h"

static char path[] = "/tmp/process_blk.XXXXXX";
static uint8_t buf[16 * 512];

/* A file of ten sectors and a bit; byte n of it is n * 3 + n / 512. */
static int setup(void **state) {
    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    for (unsigned i = 0; i < 10 * 512 + 100; i++) {
        uint8_t byte = (uint8_t)(i * 3 + i / 512);
        if (write(fd, &byte, 1) != 1)
            return -1;
    }
    return close(fd);
}

static int teardown(void **state) {
    (void)state;
    if (blk_disks[1].fd >= 0)
        close(blk_disks[1].fd);
    blk_disks[1] = (struct blk){.fd = -1};
    return unlink(path);
}

static void open_disk(bool read_only, bool snapshot) {
    char message[OPTIONS_MESSAGE];
    struct options o = {0};
    o.disk[1] = (struct disk_option){"hdb", path, read_only, snapshot};
    assert_true(blk_open(&o, message));
}

static void expect_original(uint64_t first, uint32_t sectors) {
    assert_true(host_blk_read(1, first, buf, sectors));
    for (unsigned i = 0; i < sectors * 512; i++) {
        unsigned at = (unsigned)first * 512 + i;
        assert_int_equal(buf[i], (uint8_t)(at * 3 + at / 512));
    }
}

static uint8_t file_byte(unsigned at) {
    uint8_t byte = 0;
    int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    close(fd);
    return byte;
}

static void reads_and_writes(void **state) {
    (void)state;
    open_disk(false, false);
    assert_int_equal(host_blk_sectors(1), 10);
    assert_int_equal(host_blk_sectors(0), 0);
    expect_original(0, 10);
    memset(buf, 0xee, sizeof buf);
    assert_true(host_blk_write(1, 4, buf, 2));
    assert_int_equal(file_byte(4 * 512), 0xee);
    assert_int_equal(file_byte(6 * 512 - 1), 0xee);
    expect_original(3, 1);
    expect_original(6, 4);
    assert_true(host_blk_flush(1));
}

static void bounds(void **state) {
    (void)state;
    open_disk(false, false);
    assert_false(host_blk_read(1, 9, buf, 2));
    assert_false(host_blk_read(1, UINT64_MAX, buf, 1));
    assert_false(host_blk_write(1, 10, buf, 1));
    assert_false(host_blk_read(0, 0, buf, 1));
    assert_false(host_blk_read(77, 0, buf, 1));
    assert_false(host_blk_flush(0));
}

static void read_only(void **state) {
    (void)state;
    open_disk(true, false);
    expect_original(0, 10);
    assert_false(host_blk_write(1, 0, buf, 1));
}

static void snapshot(void **state) {
    (void)state;
    open_disk(false, true);
    memset(buf, 0xee, sizeof buf);
    assert_true(host_blk_write(1, 4, buf, 2));
    expect_original(0, 4);
    expect_original(6, 4);
    assert_true(host_blk_read(1, 3, buf, 4));
    assert_int_equal(buf[512], 0xee);
    assert_int_equal(buf[3 * 512 - 1], 0xee);
    assert_int_equal(file_byte(4 * 512), (uint8_t)(4 * 512 * 3 + 4));
}

static void file_cut_short(void **state) {
    (void)state;
    open_disk(false, false);
    assert_int_equal(truncate(path, 512), 0);
    expect_original(0, 1);
    assert_false(host_blk_read(1, 1, buf, 1));
}

static void refused(void **state) {
    char message[OPTIONS_MESSAGE];
    struct options o = {0};
    (void)state;
    o.disk[1] = (struct disk_option){"hdb", "/nonexistent/disk", false, false};
    assert_false(blk_open(&o, message));
    assert_string_equal(message,
                        "-hdb: cannot open '/nonexistent/disk': No such file or directory");
    o.disk[1].path = "/dev/null";
    assert_false(blk_open(&o, message));
    assert_int_equal(truncate(path, 511), 0);
    o.disk[1].path = path;
    assert_false(blk_open(&o, message));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(reads_and_writes), T(bounds), T(read_only), T(snapshot), T(file_cut_short), T(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
