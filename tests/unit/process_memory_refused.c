/* host/process/memory_object.c where user namespaces are forbidden, as in many containers. A
 * program of its own, because it is tried once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/process/memory_object.h"

enum { BYTES = 4 << 20 };

static void forbid_namespaces(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    assert_non_null(filter);
    assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 0), 0);
    assert_int_equal(seccomp_load(filter), 0);
    seccomp_release(filter);
}

static void ordinary_pages_do(void **state) {
    char path[64], target[64] = "";

    (void)state;
    forbid_namespaces();
    int fd = memory_object("refused", BYTES);
    assert_true(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(target, "/memfd:refused (deleted)");
    uint8_t *p = mmap(NULL, BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(p[BYTES - 1], 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(ordinary_pages_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
